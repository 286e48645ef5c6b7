#!/usr/bin/env node
/**
 * Starts an agent so that it stays small: born with the flags and the environment of `small.json`, which `npm start`
 * reads too. Megabytes of resident memory, measured with 1,000 meters:
 *
 * - a young generation of 1 MB a half (10): an agent makes little garbage, and the default keeps it around;
 * - no TurboFan (6), no Maglev (3), no Sparkplug (2): what an agent computes, the inference runtime computes; the
 *   interpreter is enough for the rest, and the compilers' pages and their code stay out of memory;
 * - size before speed (5 to 10): the heap grows in small steps, so garbage does not pile up between two collections;
 * - the collector callable (8): see `memory.process.ts`;
 * - one arena of malloc, large blocks mapped alone and given back (2): the start leaves holes that nobody fills.
 *
 * Flags only take effect at the birth of a process, so this one becomes itself again with them (execve: same process
 * id, nothing beside it). Under `fork` the channel to the parent would not survive that: there the parent gives them.
 *
 * Stripping types needs 18 MB that are never given back, reading stripped code needs none. So the compile cache is
 * filled by a process that ends, once for every state of the sources, before the one that stays reads a line of
 * TypeScript.
 */

import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { enableCompileCache, getCompileCacheDir } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import small from './small.json' with { type: 'json' }

const { execArgv, env } = small
const launcher = fileURLToPath(import.meta.url)
const isSmall = execArgv.every((flag) => process.execArgv.includes(flag))
const mayBeReborn =
  typeof process.execve === 'function' && process.channel === undefined && process.platform === 'linux'

if (mayBeReborn && !isSmall) {
  const flags = execArgv.filter((flag) => !process.execArgv.includes(flag))
  const args = [process.execPath, ...flags, ...process.execArgv, launcher, ...process.argv.slice(2)]
  process.execve(process.execPath, args, { ...env, ...process.env })
}

/** Newest change of the sources that an agent is made of: it names what the cache was filled with. */
const newestSource = () => {
  const folders = ['../src', '../node_modules/@imlma/protocol/src'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true }).map((file) => join(folder, file)),
  )
  return Math.floor(Math.max(...files.map((file) => statSync(file).mtimeMs)))
}

const fillCache = async () => {
  const marker = join(getCompileCacheDir(), `imlma-agent-${newestSource()}`)
  if (existsSync(marker)) return
  const { spawnSync } = await import('node:child_process')
  // Everything is imported before the command line is read; the flags are part of the cache's key.
  const warm = { ...process.env, [filling]: '1' }
  spawnSync(process.execPath, [...process.execArgv, launcher, '--version'], { env: warm, stdio: 'ignore' })
  writeFileSync(marker, '')
}

const filling = 'IMLMA_FILLS_COMPILE_CACHE'
enableCompileCache()
if (process.env[filling] === undefined) {
  // Without a cache an agent runs as well, only larger.
  await fillCache().catch(() => undefined)
}
await import('../src/main.ts')
