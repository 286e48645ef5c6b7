/** Sends the monitoring window every few seconds of real time, and at once when a technician asks. */

import { encodeCbor, encodeJson } from '@imlma/protocol/wire'
import type { Link } from '../link/link.ts'
import type { Monitor } from './monitor.ts'

export interface Reporter {
  readonly reportNow: () => Promise<void>
  readonly stop: () => void
}

interface Parts {
  readonly monitor: Pick<Monitor, 'takeReport'>
  readonly link: Pick<Link, 'publish' | 'connected'>
  /** A window that could not be sent is gone: the next one says how things are then. */
  readonly onFailed: (cause: unknown) => void
}

export const startReporter = (
  { monitor, link, onFailed }: Parts,
  { reportEveryMs = 10_000 }: { readonly reportEveryMs?: number } = {},
): Reporter => {
  const reportNow = async (): Promise<void> => {
    // Offline, the window stays open: its sums go on until somebody can hear them.
    if (!link.connected()) return
    const { report, alarms } = monitor.takeReport()
    try {
      await link.publish('report', encodeCbor(report))
      for (const alarm of alarms) await link.publish('alarm', encodeJson(alarm))
    } catch (cause) {
      onFailed(cause)
    }
  }
  const timer = setInterval(() => void reportNow(), reportEveryMs)
  return { reportNow, stop: () => clearInterval(timer) }
}
