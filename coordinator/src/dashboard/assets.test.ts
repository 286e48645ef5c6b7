import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createAssets } from './assets.fs.ts'

const assets = await createAssets()
const text = async (path: string): Promise<string> =>
  new TextDecoder().decode((await assets.find(path))?.content ?? new TextEncoder().encode('missing'))

test('the page and everything that it imports is there, as JavaScript without types', async () => {
  const wanted = ['/page/main.ts']
  for (const path of wanted) {
    const asset = await assets.find(path)
    expect([path, asset?.mediaType]).toEqual([path, 'text/javascript; charset=utf-8'])
    const source = await text(path)
    expect(source).not.toMatch(/^import type|: string\b/m)
    for (const [, name] of source.matchAll(/from '\.\/([a-z-]+\.ts)'/g)) {
      if (!wanted.includes(`/page/${name}`)) wanted.push(`/page/${name}`)
    }
    for (const [, name] of source.matchAll(/^import .* from '([^.'][^']*)'$/gm)) expect(name).toBe('uplot')
  }
  const files = (await readdir(join(import.meta.dirname, 'page'))).filter((name) =>
    /^[a-z-]+\.ts$/.test(name),
  )
  expect(wanted.length).toBe(files.length)
  expect(await text('/page/vendor/uplot.js')).toContain('export { uPlot as default }')
})

test('the import map in the page is the one that the policy allows', async () => {
  const inline = /<script type="importmap">([\s\S]*?)<\/script>/.exec(await text('/'))?.[1] ?? ''
  expect(JSON.parse(inline)).toEqual({ imports: { uplot: '/page/vendor/uplot.js' } })
  expect(createHash('sha256').update(inline).digest('base64')).toBe(assets.importMapHash)
})

test.each([
  '/page/../assets.fs.ts',
  '/page/%2e%2e/assets.fs.ts',
  '/page/..%2fassets.fs.ts',
  '/page/format.test.ts',
  '/page/tsconfig.json',
  '/page/vendor/../../package.json',
  '/page/',
  '/page/nothing.ts',
  '/package.json',
])('%s is not handed out', async (path) => {
  expect(await assets.find(path)).toBeUndefined()
})

test('the page asks no other machine for anything', async () => {
  for (const path of ['/', '/page/page.css', '/page/main.ts', '/page/client.ts', '/page/live.ts']) {
    expect(await text(path)).not.toMatch(/https?:\/\//)
  }
})
