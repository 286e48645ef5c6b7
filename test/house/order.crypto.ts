/** A technician's order made with nothing but the protocol: what any program with the key and an MQTT client can do. */

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSigner } from '@imlma/protocol/node'
import { fromBase64, sealEnvelope, type Envelope, type Signer } from '@imlma/protocol/trust'
import { commandPayloadType, protocolVersion, type Command } from '@imlma/protocol/wire'
import { site } from './watch.mqtt.ts'

const hourMs = 3_600_000

export const newCommand = (
  agent: string,
  wish: Partial<Command> & Pick<Command, 'operation' | 'counter'>,
): Command => ({
  v: protocolVersion,
  commandId: randomUUID(),
  site,
  agents: [agent],
  model: 'load',
  target: null,
  reason: 'a story',
  notBefore: Date.now() - hourMs,
  expiresAt: Date.now() + hourMs,
  ...wish,
})

export const sign = (command: Command, signer: Signer): Envelope =>
  sealEnvelope(commandPayloadType, command, [signer])

/** The signer of a key file as `imlma keys new` and the control centre write them. */
export const readSigner = async (path: string): Promise<Signer> => {
  const { secret } = JSON.parse(await readFile(path, 'utf8')) as { secret: string }
  return createSigner(fromBase64(secret))
}
