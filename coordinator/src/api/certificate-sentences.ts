/** Who was enrolled, and which certificates were issued and denied, in plain sentences. */

import type { RegistryEvent } from '../registry/events.ts'
import type { AuditEventView } from './views.ts'

type Told = Extract<RegistryEvent, { kind: 'agent-enrolled' | 'certificate-issued' | 'certificate-denied' }>

export const tellCertificate = (event: Told): readonly [tone: AuditEventView['tone'], sentence: string] => {
  const certificate = `certificate ${event.serial.slice(0, 8)}…`
  switch (event.kind) {
    case 'agent-enrolled':
      return ['watch', `${event.agent} is enrolled with the token ${event.token}.`]
    case 'certificate-issued':
      return ['note', `${event.agent} gets the ${certificate}, good until ${toDay(event.notAfter)}.`]
    case 'certificate-denied':
      return [
        'act',
        `The ${certificate}${event.agent === null ? '' : ` of ${event.agent}`} is denied: ${event.reason}.`,
      ]
  }
}

const toDay = (at: number): string => new Date(at).toISOString().slice(0, 10)
