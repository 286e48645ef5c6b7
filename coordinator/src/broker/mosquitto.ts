/**
 * The rules of `access.ts` in the words of Mosquitto 2.0 (`man mosquitto.conf`): the files of an outside broker that
 * lets the same clients say and hear the same things. What Mosquitto cannot be told stands at the head of its file.
 */

import { limits } from '@imlma/protocol/limits'
import { channels, groupAgent, toFilter, type Address, type ChannelName } from '@imlma/protocol/wire'
import { guestHears } from './access.ts'

export interface MosquittoOptions {
  readonly site: string
  /** Folder in which all the files lie; Mosquitto wants whole paths. */
  readonly folder: string
  /** Owner of the files. */
  readonly user: string
  /** For clients with certificates, on every address. */
  readonly port: number
  /** For people's tools, on loopback; undefined leaves them out. */
  readonly plainPort: number | undefined
  /** Names in the certificates of the control centre's own connections. */
  readonly coordinators: readonly string[]
}

/** Text of each file, by its name. Certificates and keys are not among them. */
export interface MosquittoFiles {
  readonly 'mosquitto.conf': string
  readonly 'clients.acl': string
  readonly 'guests.acl': string
}

/** As in the embedded broker, where its queue has a bound at all. */
const queuedMessagesMax = 1_000
const inflightMessagesMax = 64
const connectionsMax = 4_096
const guestsMax = 256
/** A session that nobody has come back to for so long is forgotten; its agent sends again what was not acknowledged. */
const sessionDays = 90

const from = (sender: 'agent' | 'coordinator' | 'technician'): readonly ChannelName[] =>
  (Object.keys(channels) as ChannelName[]).filter((name) => channels[name].from === sender)

export const toMosquitto = (options: MosquittoOptions): MosquittoFiles => ({
  'mosquitto.conf': toConfiguration(options),
  'clients.acl': toClientRules(options),
  'guests.acl': toGuestRules(options),
})

const toConfiguration = ({ site, folder, user, port, plainPort }: MosquittoOptions): string => `\
# Mosquitto 2.0 as the broker of the site ${site}, written by \`imlma broker acl --mosquitto\`. Start it with
#   mosquitto -c ${folder}/mosquitto.conf
# and the control centre with --broker mqtts://HOST:${port}
#
# As in the embedded broker: mutual TLS 1.3; a client's name is the CN of its certificate, and is taken for its client id
# as well, so nobody takes over another's session; what an agent may say and hear follows from its name (clients.acl).
#
# What Mosquitto cannot be told, and what stands in for it:
# - A forbidden publish is acknowledged and dropped, but nobody is told of it: look at its log. Readings in another's
#   name count nowhere in any case, as batches are signed.
# - Names of agents stand for ${site} alone: a certificate of another site's authority is not believed here.
# - Roles are told apart by name: those of the control centre begin with _, which no agent's name does.
# - A denied certificate is refused where this folder's denied.crl says so: write the files again after
#   \`imlma pki deny\`, and restart Mosquitto, which also ends the open connections.
# - Retained commands cannot be forbidden; agents refuse them.
# - Subscriptions are granted to everybody and yield only what may be heard. Pace, topic levels and connects per minute
#   have no bound of ours.
# - Versions 2.0.12 to 2.0.18 lose persistent sessions with settings per listener: use another one.

# Whose files these are. Started by root, Mosquitto becomes this user.
user ${user}

per_listener_settings true
persistence true
persistence_location ${folder}/state/
persistent_client_expiration ${sessionDays}d
max_packet_size ${limits.packetBytesMax}
max_inflight_messages ${inflightMessagesMax}
max_queued_messages ${queuedMessagesMax}
log_dest stderr
log_type error
log_type warning
log_type notice

listener ${port}
cafile ${folder}/ca.pem
certfile ${folder}/broker.pem
keyfile ${folder}/broker.key
crlfile ${folder}/denied.crl
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file ${folder}/clients.acl
max_connections ${connectionsMax}
${
  plainPort === undefined
    ? ''
    : `
# People's tools on this machine: they pass on signed commands, and watch.
listener ${plainPort} 127.0.0.1
allow_anonymous true
acl_file ${folder}/guests.acl
max_connections ${guestsMax}
`
}`

const toClientRules = ({ site, coordinators }: MosquittoOptions): string => {
  const own: Address = { site, agent: '%u' }
  const all = { site }
  const patterns = [
    ...from('agent').map((channel) => `pattern write ${toFilter(channel, own)}`),
    `pattern read imlma/v1/${site}/%u/#`,
    `pattern read ${toFilter('command', { site, agent: groupAgent })}`,
  ]
  const users = coordinators.flatMap((name) => [
    '',
    `user ${name}`,
    ...from('coordinator').map((channel) => `topic write ${toFilter(channel, all)}`),
    `topic read imlma/v1/${site}/#`,
  ])
  return `# Who may say and hear what. %u is the CN of the certificate: an agent's name.\n${[...patterns, ...users].join('\n')}\n`
}

const toGuestRules = ({ site }: MosquittoOptions): string =>
  `# Without a certificate, on loopback. No patterns and no users: a name that is claimed here gives nothing.\n${[
    ...from('technician').map((channel) => `topic write ${toFilter(channel, { site })}`),
    ...guestHears.map((channel) => `topic read ${toFilter(channel, { site })}`),
  ].join('\n')}\n`
