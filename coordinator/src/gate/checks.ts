/**
 * The conditions a challenger must meet, in the order in which they are looked at. The first one that fails decides
 * the verdict: what makes the comparison worthless comes before what may not be served, that before what is not enough
 * to compare, that before who was better, and that before how sure it is.
 */

import { artifactIsServable } from './artifact-checks.ts'
import { comparisonIsEnough, comparisonIsSound } from './comparability.ts'
import type { GateCheck } from './condition.ts'
import { improvementIsProven } from './proof-checks.ts'
import { challengerIsBetter } from './skill-checks.ts'

export const standardChecks: readonly GateCheck[] = [
  ...comparisonIsSound,
  ...artifactIsServable,
  ...comparisonIsEnough,
  ...challengerIsBetter,
  ...improvementIsProven,
]
