import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContext, type Page, type Request } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { verifySignature } from '@imlma/protocol/node'
import { fromBase64, openEnvelope, type Envelope } from '@imlma/protocol/trust'
import { commandPayloadType, commandSchema } from '@imlma/protocol/wire'
import { createApp } from '../api/routes.http.ts'
import { startServer, type HttpServer } from '../api/server.http.ts'
import type { People } from '../api/people/people.ts'
import { createControlFixture, type ControlFixture } from '../api/testing/control-fixture.ts'
import { letIn, openTestPeople, testPassword } from '../api/testing/open-test-people.kysely.ts'
import { sealCommand, toCommand } from '../trust/command.ts'
import { newKey, toSigner } from '../trust/keys.fs.ts'
import { createAssets } from './assets.fs.ts'

const executablePath = '/usr/bin/chromium'
const missing = !existsSync(executablePath)
const flags = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync']
const technician = newKey('technician', 'A. Nguyen')
const director = newKey('director', 'director')

describe.skipIf(missing)(
  `people at the page${missing ? ' (skipped: apt-get install -y chromium)' : ''}`,
  () => {
    let browser: Browser
    let context: BrowserContext
    let server: HttpServer
    let people: People
    let control: ControlFixture
    let envelopes: Envelope[]
    let requests: Request[]
    let complaints: string[]

    beforeAll(async () => {
      browser = await chromium.launch({ executablePath, args: flags })
    })
    afterAll(async () => {
      await browser?.close()
    })
    beforeEach(async () => {
      people = (await openTestPeople({}, Date.now())).people
      control = createControlFixture({ now: Date.now() })
      envelopes = []
      requests = []
      complaints = []
      const app = createApp(
        {
          control: {
            ...control,
            passOnCommand: (envelope, by) => {
              envelopes.push(envelope)
              return control.passOnCommand(envelope, by)
            },
          },
          assets: await createAssets(),
          people,
          now: Date.now,
        },
        { version: '0.1.0', loopbackOnly: true },
      )
      server = await startServer(app, { host: '127.0.0.1', port: 0 })
      context = await browser.newContext()
    })
    afterEach(async () => {
      await context.close()
      await server.close()
      if (complaints.length > 0) throw new Error(complaints.join('\n'))
    })

    const open = async (hash = ''): Promise<Page> => {
      const page = await context.newPage()
      page.on('request', (request) => requests.push(request))
      page.on('pageerror', ({ message }) => complaints.push(message))
      page.on('console', (message) => {
        // The browser itself complains of every refusal; those are looked at where they are provoked.
        const isRefusal = /status of (?:401|403|422|429)/.test(message.text())
        if (['error', 'warning'].includes(message.type()) && !isRefusal) complaints.push(message.text())
      })
      await page.goto(`${server.url}/${hash}`)
      return page
    }
    const logIn = async (page: Page, name: string, password = testPassword): Promise<void> => {
      await page.fill('#login-name', name)
      await page.fill('#login-password', password)
      await page.click('#login-form button')
    }
    const isLive = (page: Page) => page.getByText('● live').waitFor({ timeout: 10_000 })
    const shown = (page: Page, selector: string) => page.locator(selector).isVisible()

    test('the first administrator chooses a password by the printed link, which leaves no trace in the address', async () => {
      const secret = (await people.firstSecret()) ?? ''
      const page = await open(`#setup=${secret}`)
      await page.fill('#setup-password', testPassword)
      await page.fill('#setup-again', 'something different')
      expect(page.url()).toBe(`${server.url}/`)
      await page.click('#setup-form button')
      await expect.poll(() => page.textContent('#setup-form .said')).toContain('not the same')
      await page.fill('#setup-again', testPassword)
      await page.click('#setup-form button')
      await isLive(page)
      expect(await page.textContent('#self')).toBe('admin administrator')
      expect(requests.filter((request) => request.url().includes(secret))).toEqual([])
      const again = await open(`#setup=${secret}`)
      await again.fill('#setup-password', testPassword)
      await again.fill('#setup-again', testPassword)
      await again.click('#setup-form button')
      await expect.poll(() => again.textContent('#setup-form .said')).toContain('used or expired')
    })

    test('nothing is shown before a login, nor after the session was ended elsewhere', async () => {
      await letIn(people, 'nguyen', 'viewer')
      const page = await open()
      await page.locator('#login-form').waitFor()
      expect([await shown(page, 'main'), await shown(page, '#account')]).toEqual([false, false])
      await logIn(page, 'nguyen', 'wrong password')
      await expect.poll(() => page.textContent('#login-form .said')).toContain('name or password is wrong')
      expect(await page.inputValue('#login-password')).toBe('')
      await logIn(page, 'nguyen')
      await isLive(page)
      expect(await shown(page, 'main')).toBe(true)
      await people.setDisabled('nguyen', true, 'admin')
      await page.locator('#login-form').waitFor({ timeout: 15_000 })
      expect(await shown(page, 'main')).toBe(false)
    })

    test('each role sees the buttons that it may use', async () => {
      const seen: Record<string, string[]> = {}
      for (const role of ['viewer', 'operator', 'administrator'] as const) {
        await letIn(people, role, role)
        const page = await open()
        await logIn(page, role)
        await isLive(page)
        seen[role] = await page.locator('#account button').allTextContents()
        await page.click('#log-out')
        await page.locator('#login-form').waitFor()
        await page.close()
      }
      expect(seen).toEqual({
        viewer: ['Password', 'Log out'],
        operator: ['Sign a rollback', 'Password', 'Log out'],
        administrator: ['Sign a rollback', 'Users and tokens', 'Password', 'Log out'],
      })
    })

    test('an administrator lets people and machines in, and out', async () => {
      await letIn(people, 'admin', 'administrator')
      const page = await open()
      await logIn(page, 'admin')
      await isLive(page)
      await page.click('#open-administration')
      await page.fill('#user-name', 'tran')
      await page.selectOption('#user-role', 'operator')
      await page.click('#user-form button[type=submit]')
      await page.locator('[data-user="tran"]').waitFor()
      const link = await page.inputValue('#secret-value')
      expect(link).toMatch(new RegExp(`^${server.url}/#setup=imlma_setup_`))
      expect(await people.setUp(link.split('=')[1] ?? '', testPassword, 'inside')).toMatchObject({ ok: true })
      await page.locator('[data-user="tran"]').getByText('Lock out').click()
      await page.locator('[data-user="tran"]').getByText('Let in').waitFor()
      await page.fill('#token-name', 'collector')
      await page.click('#token-form button[type=submit]')
      await page.locator('[data-token="collector"]').waitFor()
      const token = await page.inputValue('#secret-value')
      expect(people.byToken(token, 'inside')).toMatchObject({ ok: true, value: { scopes: ['metrics'] } })
      await page.locator('[data-token="collector"]').getByText('Revoke').click()
      await expect.poll(() => people.byToken(token, 'inside').ok).toBe(false)
    })

    describe('a rollback', () => {
      const keyFile = (key: object) => ({
        name: 'technician.key',
        mimeType: 'application/octet-stream',
        buffer: Buffer.from(`${JSON.stringify(key, null, 2)}\n`),
      })
      const sign = async (key: object): Promise<Page> => {
        await letIn(people, 'nguyen', 'operator')
        const page = await open()
        await logIn(page, 'nguyen')
        await isLive(page)
        await page.click('#open-rollback')
        await page.selectOption('#rollback-agent', 'gw-2')
        await page.selectOption('#rollback-target', '4')
        await page.fill('#rollback-reason', 'forecasts too low since noon – größer')
        await page.setInputFiles('#rollback-key', keyFile(key))
        await page.click('#rollback-form button[type=submit]')
        return page
      }

      test('is signed in the browser: the very envelope that imlma makes, and followed to its answer', async () => {
        const page = await sign(technician)
        await expect.poll(() => envelopes.length).toBe(1)
        const [envelope] = envelopes as [Envelope]
        const { keyid, public: key, name } = technician
        const role = { keyids: [keyid], threshold: 1 }
        const root = {
          version: 1,
          keys: { [keyid]: { scheme: 'ed25519', public: key, name } },
          roles: { technician: role },
        }
        const opened = openEnvelope(envelope, {
          payloadType: commandPayloadType,
          schema: commandSchema,
          root: root as never,
          role: 'technician',
          verify: verifySignature,
        })
        if (!opened.ok) throw new Error(opened.refusal.message)
        const command = opened.value
        expect(command).toMatchObject({ site: 'demo', agents: ['gw-2'], operation: 'rollback', target: 4 })
        const { commandId, counter } = command
        const ours = toCommand(command, { now: counter, commandId, counter })
        expect(sealCommand(ours, toSigner(technician))).toEqual(envelope)

        const detail = 'serves version 4'
        const seen = {
          agent: 'gw-2',
          model: command.model,
          commandId,
          operation: 'rollback',
          code: null,
          detail,
        }
        control.tell({ kind: 'command-seen', ...seen, state: 'succeeded' }, Date.now())
        await expect.poll(() => page.textContent('#rollback-answers')).toContain('gw-2')
      })

      test('keeps the secret key to itself: it is in no request, no storage and no cookie', async () => {
        const page = await sign(technician)
        await expect.poll(() => envelopes.length).toBe(1)
        const secret = Buffer.from(fromBase64(technician.secret))
        const forms = ['base64', 'base64url', 'hex', 'latin1'].map((form) =>
          secret.toString(form as BufferEncoding),
        )
        const bodies = requests.map((request) => {
          const body = request.postDataBuffer()?.toString('latin1') ?? ''
          const inside = /"payload":"([^"]+)"/.exec(body)?.[1] ?? ''
          return [
            request.url(),
            JSON.stringify(request.headers()),
            body,
            Buffer.from(inside, 'base64').toString('latin1'),
          ].join('\n')
        })
        const kept = await page.evaluate<string>(`(async () => {
          const databases = [await indexedDB.databases(), await caches.keys()]
          return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, databases, document.cookie])
        })()`)
        const everything = [...bodies, kept, JSON.stringify(await context.cookies())].join('\n')
        expect(everything).toContain(technician.keyid)
        for (const form of forms) expect(everything).not.toContain(form)
        expect(requests.every((request) => request.url().startsWith(server.url))).toBe(true)
      })

      test.each([
        ['of another role', director, 'the key of role director'],
        ['that is damaged', { ...technician, public: director.public }, 'damaged'],
        ['that is none', { hello: 'world' }, 'no key file'],
      ])('with a key %s is not sent', async (_, key, words) => {
        const page = await sign(key)
        await expect.poll(() => page.textContent('#rollback-form .said')).toContain(words)
        expect(envelopes).toEqual([])
      })
    })
  },
)
