/** Where the agent of a directory can be asked: its local API may have taken any free port. Not durable: a hint only. */

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const runningPathOf = (dataDir: string): string => join(dataDir, 'running.json')

/** Returns what takes it away again. A disk that takes nothing costs the hint and no more. */
export const tellRunning = (
  dataDir: string,
  running: { readonly name: string; readonly api: string },
): (() => void) => {
  const path = runningPathOf(dataDir)
  try {
    writeFileSync(path, JSON.stringify(running))
  } catch {
    return () => undefined
  }
  return () => rmSync(path, { force: true })
}
