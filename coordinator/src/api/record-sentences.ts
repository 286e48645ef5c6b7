/** What was recorded about records themselves, in plain sentences. */

import type { RegistryEvent } from '../registry/events.ts'
import { grouped } from './numbers.ts'
import type { AuditEventView } from './views.ts'

type Told<Kind extends RegistryEvent['kind']> = Extract<RegistryEvent, { kind: Kind }>

export const tellRecord = (
  event: Told<
    | 'desired-sealed'
    | 'agent-log-kept'
    | 'checkpoint-signed'
    | 'setting-changed'
    | 'upload'
    | 'readings-refused'
  >,
): readonly [tone: AuditEventView['tone'], sentence: string] => {
  switch (event.kind) {
    case 'desired-sealed':
      return ['note', `Assignment ${grouped(event.counter)} for ${event.agent} is signed.`]
    case 'agent-log-kept':
      return [
        'note',
        `The log of ${event.agent} is kept here up to entry ${grouped(event.entry)}, ${event.keyid === null ? 'which nobody has signed' : 'signed by the agent'}.`,
      ]
    case 'checkpoint-signed':
      return ['note', `The events up to ${grouped(event.seq)} are signed.`]
    case 'setting-changed':
      return [
        event.previous === null ? 'note' : 'watch',
        event.previous === null
          ? 'The settings of the control centre are recorded.'
          : `The control centre starts with other settings: ${event.changed.join(', ')}.`,
      ]
    case 'upload':
      return ['note', `${event.by} hands in a file of ${grouped(event.bytes)} bytes.`]
    case 'readings-refused':
      return [
        'watch',
        `Readings are not taken: ${Object.entries(event.batches)
          .map(([code, batches]) => `${grouped(batches)} batches with ${code}`)
          .join(', ')}.`,
      ]
  }
}
