/** Which processes live, as the operating system says: a story must leave none of its own behind. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

interface Living {
  readonly pid: number
  readonly parent: number
}

/** Without those that have ended and only wait to be collected. */
const living = async (): Promise<readonly Living[]> => {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,stat='])
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state]) => state?.startsWith('Z') !== true)
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }))
}

/** Children, their children and so on; `ps` itself is ours and not theirs. */
export const descendantsOf = async (ancestor: number): Promise<readonly number[]> => {
  const all = await living()
  const family = [ancestor]
  for (const member of family) {
    family.push(...all.filter(({ parent }) => parent === member).map(({ pid }) => pid))
  }
  return family.slice(1)
}

export const stillLiving = async (pids: readonly number[]): Promise<readonly number[]> => {
  const all = await living()
  return pids.filter((pid) => all.some((each) => each.pid === pid))
}
