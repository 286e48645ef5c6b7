/** The alerts among the registry's events. */

import type { ChainedEvent } from '../registry/events.ts'
import { tellAlert } from './sentences.ts'
import type { AlertView } from './views.ts'

/** In the order of `events`. */
export const toAlerts = (events: readonly ChainedEvent[]): readonly AlertView[] =>
  events.flatMap(({ seq, at, event }) => {
    if (event.kind !== 'alert-raised') return []
    const { kind: _, ...alert } = event
    return [{ seq, at, ...alert, sentence: tellAlert(event) }]
  })
