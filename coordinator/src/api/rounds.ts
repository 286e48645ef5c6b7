/** Training runs from trigger to fleet, put together from the registry's events. */

import type { ChainedEvent, RegistryEvent } from '../registry/events.ts'
import type { RoundView } from './views.ts'

/** Latest first. `events` in any order; a run whose trigger is not among them is left out. */
export const toRounds = (events: readonly ChainedEvent[]): readonly RoundView[] => {
  const rounds = new Map<string, RoundView>()
  for (const { event } of events.toSorted((a, b) => a.seq - b.seq)) {
    if (!('run' in event)) continue
    const round = event.kind === 'retraining-triggered' ? emptyRound(event) : rounds.get(event.run)
    if (round !== undefined) rounds.set(event.run, stepRound(round, event))
  }
  return [...rounds.values()].toReversed()
}

type RunEvent = Extract<RegistryEvent, { run: string }>

const emptyRound = ({
  run,
  model,
  trigger,
}: Extract<RunEvent, { kind: 'retraining-triggered' }>): RoundView => ({
  run,
  model,
  state: 'running',
  trigger,
  version: null,
  datasetSha256: null,
  readings: null,
  rows: null,
  learner: null,
  parameters: {},
  window: null,
  champion: null,
  challenger: null,
  verdict: null,
  reasons: [],
  delayMs: null,
  failure: null,
})

const stepRound = (round: RoundView, event: RunEvent): RoundView => {
  switch (event.kind) {
    case 'retraining-triggered':
      return round
    case 'dataset-frozen':
      return { ...round, datasetSha256: event.dataset.sha256, readings: event.dataset.readings }
    case 'version-trained':
      return {
        ...round,
        version: event.version,
        rows: event.rows,
        learner: event.learner,
        parameters: event.parameters,
      }
    case 'version-decided':
      return { ...round, state: stateOf(round, event), ...decided(event) }
    case 'shadow-started':
    case 'shadow-ended':
      return round
    case 'run-completed':
      return { ...round, state: 'completed', delayMs: event.delayMs }
    case 'run-failed':
      return {
        ...round,
        state: 'failed',
        failure: { code: event.code, message: event.message, hint: event.hint },
      }
  }
}

/** A version that the shadow did not prove right stays decided; one that it did is on its way to the agents again. */
const stateOf = (
  { state }: RoundView,
  { decision }: Extract<RunEvent, { kind: 'version-decided' }>,
): RoundView['state'] => (state === 'completed' && decision.verdict !== 'promote' ? state : 'decided')

const decided = ({ decision }: Extract<RunEvent, { kind: 'version-decided' }>) => ({
  window: decision.window,
  champion: { ...decision.champion, rows: decision.rows },
  challenger: { ...decision.challenger, rows: decision.rows },
  verdict: decision.verdict,
  reasons: [...decision.reasons, ...(decision.shadow === undefined ? [] : [decision.shadow.detail])],
})
