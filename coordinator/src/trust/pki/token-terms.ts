/** How long an enrolment token may last: long enough to drive to a gateway, short enough not to be forgotten in a pocket. */

const minuteMs = 60_000
const dayMs = 86_400_000

export const tokenValidityMs = { min: minuteMs, usual: 60 * minuteMs, max: 30 * dayMs } as const
