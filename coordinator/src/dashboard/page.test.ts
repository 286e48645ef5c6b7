import { existsSync } from 'node:fs'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../api/routes.http.ts'
import type { People } from '../api/people/people.ts'
import { startServer, type HttpServer } from '../api/server.http.ts'
import { letIn, openTestPeople, testPassword } from '../api/testing/open-test-people.kysely.ts'
import { createControlFixture, type ControlFixture } from '../api/testing/control-fixture.ts'
import { createAssets } from './assets.fs.ts'

const executablePath = '/usr/bin/chromium'
const missing = !existsSync(executablePath)
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

describe.skipIf(missing)(
  `the page in a browser${missing ? ' (skipped: apt-get install -y chromium)' : ''}`,
  () => {
    let browser: Browser
    let server: HttpServer
    let control: ControlFixture
    let page: Page
    let people: People
    const complaints: string[] = []

    const open = async (url: string, width: number): Promise<Page> => {
      const opened = await browser.newPage({ viewport: { width, height: 900 } })
      opened.on('pageerror', ({ message }) => complaints.push(message))
      opened.on('console', (message) => {
        const isComplaint = message.type() === 'error' || message.type() === 'warning'
        if (isComplaint && !isFirst401(message.text())) complaints.push(message.text())
      })
      opened.on('request', (request) => {
        if (!request.url().startsWith(url)) complaints.push(`asked ${request.url()}`)
      })
      await opened.goto(url)
      await opened.fill('#login-name', 'admin')
      await opened.fill('#login-password', testPassword)
      await opened.click('#login-form button')
      await opened.getByText('● live').waitFor({ timeout: 10_000 })
      return opened
    }

    /** The browser itself complains of every refusal; that nobody is logged in at first is no fault. */
    const isFirst401 = (text: string) => /status of 401/.test(text)

    const start = async (empty: boolean) => {
      const fixture = createControlFixture({ now: Date.now(), empty, inShadow: !empty })
      const app = createApp(
        { control: fixture, assets: await createAssets(), people, now: Date.now },
        { version: '0.1.0', loopbackOnly: true },
      )
      return { fixture, server: await startServer(app, { host: '127.0.0.1', port: 0 }) }
    }

    beforeAll(async () => {
      people = (await openTestPeople({}, Date.now())).people
      await letIn(people, 'admin', 'administrator')
      browser = await chromium.launch({ executablePath, args: flags })
      const started = await start(false)
      control = started.fixture
      server = started.server
      page = await open(server.url, 1280)
    })

    afterAll(async () => {
      await browser?.close()
      await server?.close()
    })

    const texts = (selector: string) => page.locator(selector).allTextContents()

    test('shows champion, trigger, decision and agents', async () => {
      expect(await page.textContent('#champion-version')).toBe('v6')
      expect(await texts('#figures-champion td')).toEqual(['0.0388', '0.138', '0.880', '40,320'])
      expect(await page.textContent('#trigger-readings')).toBe('27,840 of 40,000')
      expect(await page.textContent('#trigger-due')).toMatch(/^due in 1[12] min/)
      expect(await page.textContent('#verdict')).toBe('✓ promoted')
      expect(await page.textContent('#shadow')).toBe(
        '◇ in shadow: version 5, day 12, evidence 5.08 of needed 40.0',
      )
      expect(await texts('#agents tbody tr th')).toEqual(['gw-1', 'gw-2', 'gw-3'])
      expect(await page.textContent('[data-agent="gw-3"]')).toMatch(
        /○ offline.*v4.*pinned.*62,400.*DIGEST_MISMATCH/,
      )
    })

    test('shows every version, the comparison of two and what happened', async () => {
      expect(await texts('#versions-table tbody th')).toEqual(['v6champion', 'v5', 'v4', 'v3', 'v2', 'v1'])
      expect(await page.locator('#versions canvas').count()).toBe(3)
      expect(await page.locator('#forecast-chart canvas').count()).toBe(1)
      expect(await page.locator('#forecast-chart .u-legend').textContent()).toMatch(/Forecast.*Low.*High/s)
      expect(await page.textContent('#comparison-table')).toMatch(
        /A: v4B: v6.*the same 40,320 rows.*MSE kWh²0\.0426✓ better0\.0388−8\.9/,
      )
      expect(await page.textContent('#feed-list')).toContain(
        'The gate promotes load-day-ahead version 6 over version 4',
      )
    })

    test('follows what happens without being loaded again', async () => {
      control.advance(1_160, Date.now())
      await expect.poll(() => page.textContent('#trigger-readings')).toBe('29,000 of 40,000')
      control.tell(
        { kind: 'pin-changed', agent: 'gw-3', model: 'load-day-ahead', pinned: false, version: 4 },
        Date.now(),
      )
      await expect
        .poll(() => page.locator('#feed-list li').first().textContent())
        .toContain('gw-3 takes new versions of load-day-ahead again.')
      await control.retrain('load-day-ahead', 'test')
      await expect.poll(() => page.textContent('#trigger')).toContain('run-7 trains – ridge, λ 30')
    })

    test('compares and traces whatever is picked, by keyboard as well', async () => {
      await page.locator('#compare-a-1').focus()
      await page.keyboard.press('Space')
      await expect.poll(() => page.textContent('#comparison-table')).toMatch(/A: v1B: v6.*different windows/)
      await page.locator('#lineage-4').focus()
      await page.keyboard.press('Enter')
      await expect.poll(() => page.textContent('#lineage')).toMatch(/● v4.*from.*v2.*from.*v1.*first/)
      await page.selectOption('#meter', 'meter-03')
      await expect.poll(() => page.textContent('#forecasts .legend')).toMatch(/MAE 0\.\d+ kWh .* n 192/)
      await page.click('#feed-warnings')
      expect(await page.textContent('#feed-list')).not.toContain('The gate promotes')
    })

    test('says that figures are old when the control centre is gone, and recovers', async () => {
      const { port } = server
      await server.close()
      await expect.poll(() => page.textContent('#connection')).toContain('connection lost')
      const app = createApp(
        { control, assets: await createAssets(), people, now: Date.now },
        { version: '0.1.0', loopbackOnly: true },
      )
      server = await startServer(app, { host: '127.0.0.1', port })
      await expect.poll(() => page.textContent('#connection'), { timeout: 10_000 }).toBe('● live')
      // The browser itself complains about the lost connection; nothing else may.
      expect(
        complaints.splice(0).filter((complaint) => !/ERR_|Failed to load resource/.test(complaint)),
      ).toEqual([])
    })

    test('fits a phone, and a site where nothing has happened yet says what comes next', async () => {
      const empty = await start(true)
      const phone = await open(empty.server.url, 390)
      expect(await phone.evaluate('document.documentElement.scrollWidth')).toBe(390)
      expect(await phone.textContent('#champion')).toContain(
        'The first one is trained when enough readings are there',
      )
      await phone.close()
      const narrow = await open(server.url, 390)
      expect(await narrow.evaluate('document.documentElement.scrollWidth')).toBe(390)
      await narrow.close()
      await empty.server.close()
      expect(complaints).toEqual([])
    })
  },
)
