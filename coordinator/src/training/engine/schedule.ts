/** How the learning rate moves over a training: a factor for its largest value, by the share of all steps that is over. */

export const scheduleNames = ['constant', 'cosine', 'one-cycle'] as const
export type ScheduleName = (typeof scheduleNames)[number]

/** Share of a cosine schedule that warms up, and of a cycle that rises. */
const warmUp = 0.05
const rise = 0.3

/** Half a cosine from 1 to `end`. */
const fall = (share: number, end: number): number => end + ((1 - end) * (1 + Math.cos(Math.PI * share))) / 2

/**
 * Sources: Loshchilov and Hutter, "SGDR" (2017), equation 5; Smith and Topin, "Super-Convergence" (2018), with
 * cosines instead of lines.
 */
const schedules: Readonly<Record<ScheduleName, (share: number) => number>> = {
  constant: () => 1,
  cosine: (share) =>
    share < warmUp ? Math.max(0.01, share / warmUp) : fall((share - warmUp) / (1 - warmUp), 0.01),
  'one-cycle': (share) =>
    share < rise ? 1.04 - fall(share / rise, 0.04) : fall((share - rise) / (1 - rise), 1e-4),
}

/** `share` 0 … 1. */
export const rateFactor = (name: ScheduleName, share: number): number => schedules[name](Math.min(1, share))
