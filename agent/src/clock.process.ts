/** This machine's clock with its file: proven while it runs, on disk when it ends, an alarm when it stops being believed. */

import { join } from 'node:path'
import type { Alarms } from './alarms.ts'
import type { Recorder } from './audit/recorder.ts'
import { openClockFile } from './clock/clock.fs.ts'
import { createClock, type ProvenClock } from './clock/clock.ts'
import { keepClock } from './clock/keeper.timer.ts'
import type { ClockVerdict } from './clock/proven-time.ts'
import type { Log } from './log.pino.ts'

export interface KeptClock {
  readonly clock: ProvenClock
  readonly stop: () => Promise<void>
}

interface Parts {
  readonly alarms: Pick<Alarms, 'raise'>
  readonly log: Log
  readonly audit: Pick<Recorder, 'record'>
  /** The clock is right again: what was refused for its sake is worth another look. */
  readonly onTrusted: () => void
}

export const openClock = async (
  dataDir: string,
  { alarms, log, audit, onTrusted }: Parts,
): Promise<KeptClock> => {
  const file = await openClockFile(join(dataDir, 'clock.json'))
  const clock = createClock({ now: Date.now, monotonicMs: () => performance.now() }, await file.read())
  const onVerdict = (verdict: ClockVerdict): void => {
    log.warn({ verdict }, verdict === 'trusted' ? 'the clock is believed again' : 'the clock is not believed')
    audit.record('clock', { verdict })
    if (verdict === 'trusted') return onTrusted()
    const detail = `the system clock is ${verdict === 'behind' ? 'behind what was signed' : 'far ahead of all that was signed'}: nothing new is installed; set the clock`
    const evidence = { code: 'CLOCK_UNTRUSTED', detail, now: Date.now() }
    alarms.raise({
      model: null,
      version: null,
      kind: 'security',
      level: 'act',
      value: null,
      limit: null,
      evidence,
    })
  }
  const onFailure = (cause: unknown): void => log.error({ err: cause }, 'the proven time was not written')
  const keeper = keepClock({ clock, file, onVerdict, onFailure })
  return { clock, stop: keeper.stop }
}
