#!/usr/bin/env node
/**
 * Starts an agent so that it stays small. Plain JavaScript, because what it sets must be set before the first line of
 * TypeScript is read:
 *
 * - the compile cache: stripping types needs 18 MB that are never given back, reading stripped code needs none;
 * - a young generation of 1 MB a half: an agent makes little garbage, and the default keeps 10 MB of it around;
 * - one arena of malloc: threads that rarely allocate would each keep their own.
 *
 * The last two only take effect at the birth of a process, so this one becomes itself again with them (execve: same
 * process id, nothing beside it). Under `fork` the channel to the parent would not survive that; it is left as it is,
 * and the parent may give the flag itself.
 */

import { enableCompileCache } from 'node:module'
import process from 'node:process'

const flag = '--max-semi-space-size=1'
const mayBeReborn =
  typeof process.execve === 'function' && process.channel === undefined && process.platform === 'linux'

if (mayBeReborn && !process.execArgv.some((argument) => argument.startsWith('--max-semi-space-size'))) {
  const environment = { MALLOC_ARENA_MAX: '1', ...process.env }
  process.execve(
    process.execPath,
    [process.execPath, flag, ...process.execArgv, ...process.argv.slice(1)],
    environment,
  )
}

enableCompileCache()
await import('../src/main.ts')
