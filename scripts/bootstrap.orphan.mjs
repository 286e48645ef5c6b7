/**
 * Loaded before the target of `bootstrap.mjs`: ends it as Ctrl-C would when bootstrap was killed (SIGKILL cannot be forwarded).
 * The target lives in a process group of its own, so nothing else would reach it.
 */
import { ppid } from 'node:process'
import { isMainThread } from 'node:worker_threads'

const checkEveryMs = 1_000

if (isMainThread) {
  // What the target starts (forks take over `execArgv`) answers to the target, not to this guard.
  const own = process.execArgv.indexOf('--import')
  process.execArgv.splice(own, 2)
  const startedBy = ppid
  setInterval(() => {
    if (process.ppid !== startedBy) process.kill(process.pid, 'SIGTERM')
  }, checkEveryMs).unref()
}
