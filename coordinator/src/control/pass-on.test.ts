import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifySignature } from '@imlma/protocol/node'
import { parseEnvelope, sealEnvelope, type Envelope } from '@imlma/protocol/trust'
import { commandPayloadType, parseTopic, toTopic, type Order } from '@imlma/protocol/wire'
import type { RegistryEvent } from '../registry/events.ts'
import { addTechnician } from '../trust/add-technician.fs.ts'
import { sealCommand, toCommand } from '../trust/command.ts'
import { establishTrust, type Trust } from '../trust/establish.fs.ts'
import { newKey, toSigner } from '../trust/keys.fs.ts'
import { createPassOn } from './pass-on.ts'

const now = Date.UTC(2026, 4, 11)
const order: Order = {
  site: 'demo',
  agents: ['gw-1'],
  model: 'load',
  operation: 'rollback',
  target: 'previous',
  reason: 'too low since noon',
}
const technician = newKey('technician', 'A. Nguyen')
const stranger = newKey('technician', 'nobody')

let folder: string
let trust: Trust
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-pass-on-'))
  await establishTrust(folder, { now })
  await addTechnician(folder, technician)
  trust = await establishTrust(folder, { now })
})
afterAll(() => rm(folder, { recursive: true }))

const commandOf = (change: Partial<Order> = {}, at = now) =>
  toCommand({ ...order, ...change }, { now: at, commandId: 'c-1', counter: 1 })

const hand = async (envelope: Envelope) => {
  const published: { topic: string; payload: Uint8Array }[] = []
  const events: RegistryEvent[] = []
  const passOn = createPassOn(
    {
      root: trust.chain.current,
      verify: verifySignature,
      client: {
        publish: async (channel, address, payload, id) => {
          published.push({ topic: toTopic(address, channel, id), payload })
        },
      },
      registry: {
        append: async (more) => {
          events.push(...more)
          return []
        },
      },
      now: () => now,
    },
    { site: 'demo' },
  )
  return { result: await passOn(envelope, 'nguyen'), published, events }
}

test('a signed order is recorded and published as it is, to the agent that it names', async () => {
  const envelope = sealCommand(commandOf(), toSigner(technician))
  const { result, published, events } = await hand(envelope)
  expect(result).toEqual({ ok: true, value: { commandId: 'c-1', agents: ['gw-1'] } })
  expect(published).toHaveLength(1)
  const { topic, payload } = published[0] as (typeof published)[number]
  expect(parseTopic(topic)).toMatchObject({ site: 'demo', agent: 'gw-1', channel: 'command', id: 'c-1' })
  expect(parseEnvelope(payload)).toEqual({ ok: true, value: envelope })
  expect(events).toEqual([
    {
      kind: 'command-passed-on',
      model: 'load',
      commandId: 'c-1',
      operation: 'rollback',
      agents: ['gw-1'],
      keyids: [technician.keyid],
      by: 'nguyen',
    },
  ])
})

describe('nothing is published of an order', () => {
  const signer = toSigner(technician)
  const { signatures } = sealCommand(commandOf(), signer)
  test.each<[string, Envelope, string]>([
    ['by a key that nobody knows', sealCommand(commandOf(), toSigner(stranger)), 'UNKNOWN_KEY'],
    [
      'whose bytes are not the signed ones',
      { ...sealCommand(commandOf({ reason: 'x' }), signer), signatures },
      'BAD_SIGNATURE',
    ],
    ['for another site', sealCommand(commandOf({ site: 'elsewhere' }), signer), 'WRONG_TARGET'],
    ['that has expired', sealCommand(commandOf({}, now - 3_600_000), signer), 'EXPIRED'],
    ['that is not valid yet', sealCommand(commandOf({}, now + 600_000), signer), 'NOT_YET_VALID'],
    ['to everybody by one person', sealCommand(commandOf({ agents: ['*'] }), signer), 'NOT_AUTHORISED'],
    [
      'to two agents by one person',
      sealCommand(commandOf({ agents: ['gw-1', 'gw-2'] }), signer),
      'NOT_AUTHORISED',
    ],
    ['that is no command', sealEnvelope(commandPayloadType, { hello: 'world' }, [signer]), 'MALFORMED'],
    ['of another type', sealEnvelope('application/json', commandOf(), [signer]), 'MALFORMED'],
  ])('%s', async (_, envelope, code) => {
    const { result, published, events } = await hand(envelope)
    expect(result.ok ? 'ok' : result.refusal.code).toBe(code)
    expect([published, events]).toEqual([[], []])
  })

  test('by the key of the control centre itself', async () => {
    const { result } = await hand(sealCommand(commandOf(), trust.director))
    expect(result.ok ? 'ok' : result.refusal.code).toBe('NOT_AUTHORISED')
  })
})
