#!/usr/bin/env node
/**
 * Starts an agent so that it stays small. Plain JavaScript, because what it sets must be set before the first line of
 * TypeScript is read:
 *
 * - the compile cache: stripping types needs 18 MB that are never given back, reading stripped code needs none;
 * - a young generation of 1 MB a half: an agent makes little garbage, and the default keeps 10 MB of it around;
 * - no TurboFan: what an agent computes, the inference runtime computes; the middle compiler is enough for the rest,
 *   and 6 MB of compiler stay unloaded;
 * - one arena of malloc: threads that rarely allocate would each keep their own.
 *
 * All but the first only take effect at the birth of a process, so this one becomes itself again with them (execve:
 * same process id, nothing beside it). Under `fork` the channel to the parent would not survive that; it is left as it
 * is, and the parent may give the flags itself.
 */

import { enableCompileCache } from 'node:module'
import process from 'node:process'

const flags = ['--max-semi-space-size=1', '--no-turbofan']
const isReborn = process.execArgv.some((argument) => argument.startsWith('--max-semi-space-size'))
const mayBeReborn =
  typeof process.execve === 'function' && process.channel === undefined && process.platform === 'linux'

if (mayBeReborn && !isReborn) {
  const args = [process.execPath, ...flags, ...process.execArgv, ...process.argv.slice(1)]
  process.execve(process.execPath, args, { MALLOC_ARENA_MAX: '1', ...process.env })
}

enableCompileCache()
await import('../src/main.ts')
