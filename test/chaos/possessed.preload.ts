/**
 * Loaded into an agent before its own first line (`node --import`), by a chaos run alone: an agent has no door for this.
 * Its clock is moved by what a file says, and it dies at the step of the deployment machine that another file names.
 *
 *   <folder>/clock      milliseconds that the clock is off
 *   <folder>/trap.json  where to die next; gone before the agent dies, so that it dies once
 */

import { readFileSync, truncateSync, unlinkSync } from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import type { Trap } from './plan.ts'

/** Another process fills the compile cache for the agent: it is left alone. */
const folder = process.env['IMLMA_FILLS_COMPILE_CACHE'] === undefined ? process.env['IMLMA_CHAOS'] : undefined
const lookMs = 100

const readIfThere = (name: string): string | undefined => {
  try {
    return readFileSync(join(folder ?? '', name), 'utf8')
  } catch {
    return undefined
  }
}

const moveClock = (): void => {
  const RealDate = Date
  let offsetMs = 0
  const look = (): void => {
    offsetMs = Number(readIfThere('clock') ?? 0)
  }
  class MovedDate extends RealDate {
    constructor(...given: unknown[]) {
      if (given.length === 0) super(RealDate.now() + offsetMs)
      else super(...(given as [number]))
    }
    static override now = (): number => RealDate.now() + offsetMs
  }
  globalThis.Date = MovedDate as DateConstructor
  look()
  setInterval(look, lookMs).unref()
}

const phasesIn = (path: string): string => {
  const { models } = JSON.parse(readFileSync(path, 'utf8')) as { models: Record<string, { phase: string }> }
  return Object.values(models)
    .map(({ phase }) => phase)
    .join()
}

const dieAtSteps = (): void => {
  const { rename } = promises
  let before = 'idle'
  const die = (): void => {
    unlinkSync(join(folder ?? '', 'trap.json'))
    process.kill(process.pid, 'SIGKILL')
  }
  promises.rename = async (from, to) => {
    if (!String(to).endsWith('models/state.json')) return rename(from, to)
    const phase = phasesIn(String(from))
    const entered = phase !== before
    before = phase
    const set = readIfThere('trap.json')
    const trap = set === undefined ? undefined : (JSON.parse(set) as Trap)
    const isCaught = entered && trap?.phase === phase
    if (isCaught && trap.moment === 'writing') {
      truncateSync(String(from), Math.floor(readFileSync(String(from)).length / 2))
      die()
    }
    await rename(from, to)
    if (isCaught && trap.moment === 'working') setTimeout(die, trap.workMs)
    else if (isCaught) die()
  }
  syncBuiltinESMExports()
}

if (folder !== undefined) {
  moveClock()
  dieAtSteps()
}
