import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createAssets } from './assets.fs.ts'

const assets = await createAssets()
const text = async (path: string): Promise<string> =>
  new TextDecoder().decode((await assets.find(path))?.content ?? new TextEncoder().encode('missing'))

const inline = /<script type="importmap">([\s\S]*?)<\/script>/.exec(await text('/'))?.[1] ?? ''
const { imports, integrity } = JSON.parse(inline) as {
  imports: Record<string, string>
  integrity: Record<string, string>
}

test('the page and everything that it imports is there, as JavaScript without types', async () => {
  const wanted = ['/page/main.ts']
  for (const path of wanted) {
    const asset = await assets.find(path)
    expect([path, asset?.mediaType]).toEqual([path, 'text/javascript; charset=utf-8'])
    const source = await text(path)
    expect(source).not.toMatch(/^import type|: string\b/m)
    for (const [, name] of source.matchAll(/from '\.\/([a-z-]+(?:\.nacl)?\.ts)'/g)) {
      if (!wanted.includes(`/page/${name}`)) wanted.push(`/page/${name}`)
    }
    for (const [, name = ''] of source.matchAll(/^import .* from '([^.'][^']*)'$/gm)) {
      expect(Object.keys(imports)).toContain(name)
    }
  }
  const files = (await readdir(join(import.meta.dirname, 'page'))).filter((name) =>
    /^[a-z-]+(?:\.nacl)?\.ts$/.test(name),
  )
  expect(wanted.length).toBe(files.length)
  expect(await text('/page/vendor/uplot.js')).toContain('export { uPlot as default }')
})

test('the import map in the page is the one that the policy allows, and all that it names is there', async () => {
  expect(createHash('sha256').update(inline).digest('base64')).toBe(assets.importMapHash)
  for (const path of Object.values(imports)) expect(await assets.find(path)).toBeDefined()
})

test('what signs in the browser is held to its very bytes', async () => {
  const bytes = (await assets.find('/page/vendor/nacl.js'))?.content ?? new Uint8Array()
  const hash = `sha384-${createHash('sha384').update(bytes).digest('base64')}`
  expect(integrity).toEqual({ '/page/vendor/nacl.js': hash })
})

test('what is shared with the protocol needs nothing but itself', async () => {
  const wanted = Object.values(imports).filter((path) => path.startsWith('/page/protocol/'))
  for (const path of wanted) {
    for (const [, name = ''] of (await text(path)).matchAll(/^(?:import|export) .* from '([^']+)'$/gm)) {
      const target = new URL(name, `http://page${path}`).pathname
      expect([path, name, (await assets.find(target)) !== undefined]).toEqual([path, name, true])
      if (!wanted.includes(target)) wanted.push(target)
    }
  }
  expect(wanted.length).toBe(4)
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
