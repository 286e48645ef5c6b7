/** What people and tokens did at the control centre, in plain sentences. */

import type { RegistryEvent } from '../registry/events.ts'
import { printDay } from './numbers.ts'
import type { AuditEventView } from './views.ts'

type Told<Kind extends RegistryEvent['kind']> = Extract<RegistryEvent, { kind: Kind }>

export const tellPeople = (
  event: Told<'login' | 'login-failed' | 'user-changed' | 'token-changed' | 'command-passed-on'>,
): readonly [tone: AuditEventView['tone'], sentence: string] => {
  switch (event.kind) {
    case 'login':
      return ['note', `${event.user} logs in from ${event.address}.`]
    case 'login-failed':
      return ['watch', tellFailure(event)]
    case 'user-changed':
      return ['watch', tellUser(event)]
    case 'token-changed':
      return [
        'watch',
        event.change === 'made'
          ? `${event.by} makes the token “${event.name}” for ${event.scopes.join(', ')}, good until ${printDay(event.expiresAt)}.`
          : `${event.by} revokes the token “${event.name}”.`,
      ]
    case 'command-passed-on':
      return [
        'note',
        `${event.by} hands in a signed ${event.operation}${event.model === null ? '' : ` of ${event.model}`} for ${event.agents.includes('*') ? 'every agent' : event.agents.join(', ')}.`,
      ]
  }
}

const tellFailure = ({ user, address, failures }: Told<'login-failed'>): string => {
  const who = user === null ? 'under an unknown name' : `as ${user}`
  return failures === 1
    ? `A login ${who} from ${address} failed.`
    : `${failures} logins failed, the last one ${who} from ${address}.`
}

const tellUser = ({ user, change, role, by }: Told<'user-changed'>): string => {
  switch (change) {
    case 'added':
      return `${by} adds the user ${user} as ${role}.`
    case 'role':
      return `${by} makes ${user} ${role}.`
    case 'disabled':
      return `${by} locks ${user} out.`
    case 'enabled':
      return `${by} lets ${user} in again.`
    case 'reset':
      return `${by} gives ${user} a one-time secret for a new password.`
    case 'password':
      return `${user} chooses a password.`
  }
}
