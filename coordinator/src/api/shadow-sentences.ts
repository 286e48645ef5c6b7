/** What is told of a version in shadow, in plain words: when it enters, how far its proof is, and how it ended. */

import type { RegistryEvent } from '../registry/events.ts'
import { figure, grouped } from './numbers.ts'

type Started = Extract<RegistryEvent, { kind: 'shadow-started' }>
type Ended = Extract<RegistryEvent, { kind: 'shadow-ended' }>

export const tellShadowStarted = ({ model, version, champion, release }: Started): string =>
  `${model} version ${version} goes into shadow beside version ${champion}, signed for that alone as release ${release}: agents run both on live inputs, version ${champion} answers.`

export const tellShadowEnded = ({ model, version, reason, evidence }: Ended): string => {
  const who = `${model} version ${version}`
  const number = (name: string): number | null => {
    const value = evidence[name]
    return typeof value === 'number' ? value : null
  }
  const days = `${grouped(number('days') ?? 0)} days and ${grouped(number('pairs') ?? 0)} pairs of forecasts`
  switch (reason) {
    case 'promoted':
      return `${who} proved better in shadow: evidence ${figure(number('evidence'))} of ${figure(number('needed'))} needed, after ${days}.`
    case 'rejected':
      return `${who} proved worse in shadow: evidence ${figure(number('worse'))} of ${figure(number('needed'))} needed, after ${days}.`
    case 'expired':
      return `${who} leaves the shadow without a proof, after ${days}: evidence ${figure(number('evidence'))} of ${figure(number('needed'))} needed.`
    case 'superseded':
      return `${who} leaves the shadow: version ${number('champion') ?? '–'}, which it was compared with, is champion no more.`
  }
}

/** How far a proof is; the day that is looked at next counts as begun. */
export const tellShadowProgress = ({
  version,
  days,
  evidence,
  needed,
}: {
  readonly version: number
  readonly days: number
  readonly evidence: number
  readonly needed: number
}): string => `version ${version}, day ${days + 1}, evidence ${figure(evidence)} of needed ${figure(needed)}`

/** What became of a version, in two or three words. */
export const tellState = ({
  state,
  shadow,
}: {
  readonly state: string
  readonly shadow: { readonly ended: { readonly reason: string } | null } | null
}): string => {
  if (shadow === null) return state
  if (shadow.ended === null) return 'in shadow'
  return shadow.ended.reason === 'superseded' ? state : `${state} after shadow`
}
