/**
 * The page's files: HTML and CSS as they are, TypeScript modules with their types stripped, a few files out of packages.
 * Nothing is built beforehand; what was stripped once is kept as long as the file does not change.
 */

import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createRequire, stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import type { Asset, Assets } from '../api/assets.ts'

const page = join(import.meta.dirname, 'page')
const { resolve } = createRequire(import.meta.url)
const uplot = dirname(resolve('uplot'))
const naclPath = resolve('tweetnacl')
const seal = resolve('@imlma/protocol/seal')
const order = resolve('@imlma/protocol/order')

const mediaTypes = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  ts: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const

/** Paths outside the page's folder, one by one: nothing else below node_modules can be asked for. */
const vendored: Readonly<Record<string, string>> = {
  '/page/vendor/uplot.js': join(uplot, 'uPlot.esm.js'),
  '/page/vendor/uplot.css': join(uplot, 'uPlot.min.css'),
  '/page/vendor/nacl.js': naclPath,
  // What signs in the browser is what signs in `imlma`.
  '/page/protocol/trust/seal.ts': seal,
  '/page/protocol/trust/base64.ts': join(dirname(seal), 'base64.ts'),
  '/page/protocol/wire/order.ts': order,
  '/page/protocol/wire/version.ts': join(dirname(order), 'version.ts'),
}

/** Written for a time before modules: it puts itself into the browser's global scope, from where it is exported. */
const exported: Readonly<Record<string, string>> = { [naclPath]: '\nexport default self.nacl\n' }

interface Kept {
  readonly changedAt: number
  readonly asset: Asset
}

export const createAssets = async (): Promise<Assets> => {
  const kept = new Map<string, Kept>()
  const importMap = /<script type="importmap">([\s\S]*?)<\/script>/.exec(
    await readFile(join(page, 'index.html'), 'utf8'),
  )?.[1]
  return {
    importMapHash: createHash('sha256')
      .update(importMap ?? '')
      .digest('base64'),
    find: async (path) => {
      const file = fileOf(path)
      return file === undefined ? undefined : load(file, kept)
    },
  }
}

/** One name directly in the page's folder, and no test: no path can climb out of it. */
const fileOf = (path: string): string | undefined => {
  if (path === '/') return join(page, 'index.html')
  if (path === '/favicon.ico') return join(page, 'icon.svg')
  const name = /^\/page\/([a-z][a-z-]*(?:\.nacl)?\.(?:css|svg|ts))$/.exec(path)?.[1]
  return name === undefined ? vendored[path] : join(page, name)
}

const load = async (file: string, kept: Map<string, Kept>): Promise<Asset | undefined> => {
  const found = await stat(file).catch(() => undefined)
  if (found === undefined) return undefined
  const before = kept.get(file)
  if (before !== undefined && before.changedAt === found.mtimeMs) return before.asset
  const extension = file.slice(file.lastIndexOf('.') + 1) as keyof typeof mediaTypes
  const source = await readFile(file, 'utf8')
  const content = new TextEncoder().encode(
    extension === 'ts' ? stripTypeScriptTypes(source) : `${source}${exported[file] ?? ''}`,
  )
  const etag = `"${createHash('sha256').update(content).digest('hex').slice(0, 32)}"`
  const asset = { content, mediaType: mediaTypes[extension], etag }
  kept.set(file, { changedAt: found.mtimeMs, asset })
  return asset
}
