/** How many readings of a register there are, and of when the latest is. */

import type { ReadingsReader } from '../storage/readings.ts'

interface Register {
  readonly register: string
  readonly intervalMs: number
}

/** `lastAt` is undefined where there is none. */
export const createReadingsOf =
  (readings: Pick<ReadingsReader, 'filled' | 'series'>, site: string) =>
  ({ register, intervalMs }: Register): { readonly filled: number; readonly lastAt: number | undefined } => ({
    filled: readings.filled(site, register, intervalMs),
    lastAt: readings
      .series({ site, register, intervalMs })
      .reduce<number | undefined>((latest, { lastAt }) => Math.max(latest ?? lastAt, lastAt), undefined),
  })
