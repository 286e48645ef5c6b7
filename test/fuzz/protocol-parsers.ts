/** The protocol's own parsers: what agent, control centre and technician say to each other. */

import { createHash } from 'node:crypto'
import { auditAckSchema, auditPageSchema, openCheckpoint } from '@imlma/protocol/audit'
import { verifySignature } from '@imlma/protocol/node'
import { limits } from '@imlma/protocol/limits'
import {
  bearsSignature,
  encodeToken,
  enrolRequestSchema,
  enrolmentSchema,
  openCertification,
  openFirstRoot,
  openNextRoot,
  parseEnvelope,
  parseToken,
  renewRequestSchema,
  rootPayloadType,
  rootSchema,
  openEnvelope,
  toBase64,
  verifyBatch,
  type EnrolmentToken,
} from '@imlma/protocol/trust'
import {
  ackSchema,
  alarmSchema,
  chunkSchema,
  commandPayloadType,
  commandSchema,
  encodeCbor,
  encodeJson,
  fetchSchema,
  parseCborMessage,
  parseJsonMessage,
  parseTopic,
  presenceSchema,
  readingBatchSchema,
  reportSchema,
  reportedSchema,
  resultSchema,
  toTopic,
} from '@imlma/protocol/wire'
import * as honest from './samples.crypto.ts'
import { genuine, json, orUndefined, stable, text, utf8, type Parser } from './parser.ts'

type Schema = Parameters<typeof parseJsonMessage>[0]

const jsonParser = (name: string, schema: Schema, ...samples: readonly unknown[]): Parser => ({
  name,
  samples: samples.map(encodeJson),
  judge: stable((bytes) => orUndefined(parseJsonMessage(schema, bytes, limits.jsonBytesMax)), encodeJson),
})

const cborParser = (name: string, schema: Schema, ...samples: readonly unknown[]): Parser => ({
  name,
  samples: samples.map(encodeCbor),
  structured: { documents: samples, encode: encodeCbor },
  judge: stable((bytes) => orUndefined(parseCborMessage(schema, bytes, limits.packetBytesMax)), encodeCbor),
})

/** A payload as if its signature had verified: what a stolen key could have signed. */
const payloadParser = (
  name: string,
  payloadType: string,
  schema: Schema,
  ...samples: readonly Uint8Array[]
): Parser => ({
  name,
  samples,
  judge: stable((bytes) => {
    const envelope = { payloadType, payload: toBase64(bytes), signatures: [] }
    return orUndefined(openEnvelope(envelope, { payloadType, schema }))
  }, json),
})

const token: EnrolmentToken = {
  url: 'https://127.0.0.1:8443',
  site: honest.site,
  agent: honest.agent,
  ca: 'a'.repeat(64),
  root: 'b'.repeat(64),
  secret: 'c'.repeat(43),
}
const envelopeOf = (bytes: Uint8Array) => orUndefined(parseEnvelope(bytes))
const payloadOf = ({ payload }: { readonly payload: string }) =>
  Uint8Array.from(Buffer.from(payload, 'base64'))
const terms = { root: honest.root, verify: verifySignature, site: honest.site, agent: honest.agent }

/** The digest of a packet when it is believed to be the agent's. */
const believedPacket = (packet: Uint8Array): string | undefined => {
  const verified = verifyBatch(honest, packet, (bytes, signature) =>
    verifySignature(honest.agentKey, bytes, signature),
  )
  if (!verified.ok) return undefined
  const batch = parseCborMessage(readingBatchSchema, packet, limits.packetBytesMax)
  if (!batch.ok || !bearsSignature(batch.value, verified.value)) return undefined
  return createHash('sha256').update(packet).digest('hex')
}
const believedRoot = (bytes: Uint8Array) => {
  const envelope = envelopeOf(bytes)
  if (envelope === undefined) return undefined
  return (
    orUndefined(openFirstRoot(envelope, verifySignature)) ??
    orUndefined(openNextRoot(honest.root, envelope, verifySignature))
  )
}
const believedCertification = (bytes: Uint8Array) => {
  const envelope = envelopeOf(bytes)
  return envelope === undefined ? undefined : orUndefined(openCertification(envelope, terms))
}
const believedCheckpoint = (bytes: Uint8Array) => {
  const envelope = envelopeOf(bytes)
  return envelope && orUndefined(openCheckpoint(envelope, [honest.agentKey], verifySignature))
}
const rootPayload = payloadOf(honest.rootEnvelope)
const commandPayload = payloadOf(
  JSON.parse(text(honest.commands[0]?.payload ?? utf8(''))) as { payload: string },
)

const pem = `-----BEGIN X-----\n${'A'.repeat(64)}\n-----END X-----`
const enrolment = {
  v: 1,
  certificate: pem,
  notAfter: honest.now,
  ca: pem,
  roots: [honest.rootEnvelope],
  certification: honest.certificationEnvelope,
  broker: 'mqtts://127.0.0.1:8883',
}
const signingKey = toBase64(honest.agentKey.publicKey)

export const protocolParsers: readonly Parser[] = [
  {
    name: 'envelope',
    samples: [json(honest.rootEnvelope), json(honest.certificationEnvelope)],
    judge: stable(envelopeOf, json),
  },
  {
    name: 'trust root, signed',
    ...genuine(believedRoot, [json(honest.rootEnvelope), json(honest.nextRootEnvelope)]),
  },
  { name: 'certification, signed', ...genuine(believedCertification, [json(honest.certificationEnvelope)]) },
  { name: 'checkpoint, signed', ...genuine(believedCheckpoint, [json(honest.checkpointEnvelope)]) },
  { name: 'reading batch, signed', ...genuine(believedPacket, honest.signedPackets) },
  payloadParser('trust root, payload', rootPayloadType, rootSchema, rootPayload),
  payloadParser('command, payload', commandPayloadType, commandSchema, commandPayload),
  cborParser('reading batch', readingBatchSchema, ...honest.batches),
  cborParser('report', reportSchema, honest.report),
  cborParser('chunk', chunkSchema, honest.messages.chunk),
  jsonParser('presence', presenceSchema, honest.messages.presence),
  jsonParser('reported', reportedSchema, honest.reported),
  jsonParser('alarm', alarmSchema, honest.messages.alarm),
  jsonParser('fetch', fetchSchema, honest.messages.fetch),
  jsonParser('ack', ackSchema, honest.messages.ack),
  jsonParser('result', resultSchema, honest.messages.result),
  jsonParser('audit page', auditPageSchema, honest.auditPage),
  jsonParser('audit ack', auditAckSchema, honest.messages.auditAck),
  jsonParser('enrolment request', enrolRequestSchema, {
    v: 1,
    site: honest.site,
    agent: honest.agent,
    secret: token.secret,
    csr: pem,
    signingKey,
  }),
  jsonParser('renewal request', renewRequestSchema, { v: 1, csr: pem }, { v: 1, csr: pem, signingKey }),
  jsonParser('enrolment answer', enrolmentSchema, enrolment),
  {
    name: 'enrolment token',
    samples: [utf8(encodeToken(token))],
    judge: stable(
      (bytes) => orUndefined(parseToken(text(bytes))),
      (value) => utf8(encodeToken(value)),
    ),
  },
  {
    name: 'topic',
    samples: [utf8(toTopic(honest, 'readings')), utf8(toTopic(honest, 'command', 'c-1'))],
    judge: stable(
      (bytes) => parseTopic(text(bytes)),
      (topic) => utf8(toTopic(topic, topic.channel, topic.id)),
    ),
  },
]
