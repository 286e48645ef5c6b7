/** A version in shadow, in the page's words: how far its proof is, and what became of it. */

import type { ModelView, VersionView } from '../../api/views.ts'
import { toFigure } from './format.ts'

export const shadowText = ({ version, days, evidence, needed }: NonNullable<ModelView['shadow']>): string =>
  `◇ in shadow: version ${version}, day ${days + 1}, evidence ${toFigure(evidence)} of needed ${toFigure(needed)}`

/** Undefined for a version that never was in shadow, and where the shadow ended without a word of its own. */
export const shadowStanding = (shadow: VersionView['shadow']): 'in shadow' | 'after shadow' | undefined => {
  if (shadow === null || shadow.ended?.reason === 'superseded') return undefined
  return shadow.ended === null ? 'in shadow' : 'after shadow'
}
