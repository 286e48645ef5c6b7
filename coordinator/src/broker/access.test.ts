import { describe, expect, test } from 'vitest'
import { decidePublish, maySubscribe, parseIdentity, type Identity } from './access.ts'

const identify = (clientId: string): Identity => {
  const identity = parseIdentity(clientId)
  if (!identity.ok) throw new Error(identity.refusal.message)
  return identity.value
}

const agent = identify('agent:demo:gw-1')
const coordinator = identify('coordinator:control')
const technician = identify('laptop-7')

const codeOf = (identity: Identity, topic: string, retain = false): string => {
  const decision = decidePublish(identity, topic, retain)
  return decision.ok ? 'accepted' : decision.refusal.code
}

describe('who a client is', () => {
  test('follows from its id', () => {
    expect(agent).toEqual({ role: 'agent', site: 'demo', agent: 'gw-1' })
    expect(coordinator).toEqual({ role: 'coordinator' })
    expect(technician).toEqual({ role: 'technician', name: 'laptop-7' })
    expect(identify('agent').role).toBe('technician')
  })

  test.each([
    'agent:demo',
    'agent:',
    'agent:demo:',
    'agent:demo:+',
    'agent:de/mo:x',
    'agent:a:b:c',
    'agent:demo:_all',
  ])('%s names no agent', (clientId) => {
    expect(parseIdentity(clientId)).toMatchObject({ ok: false, refusal: { code: 'BAD_IDENTITY' } })
  })

  test('is bounded in length', () => {
    expect(parseIdentity('x'.repeat(257)).ok).toBe(false)
  })
})

describe('publishing', () => {
  const own = 'imlma/v1/demo/gw-1'
  test.each([
    [agent, `${own}/readings`, 'accepted'],
    [agent, `${own}/result/c-1`, 'accepted'],
    [agent, 'imlma/v1/demo/gw-2/readings', 'FOREIGN_TOPIC'],
    [agent, 'imlma/v1/other/gw-1/readings', 'FOREIGN_TOPIC'],
    [agent, `${own}/ack`, 'FOREIGN_TOPIC'],
    [agent, `${own}/desired`, 'FOREIGN_TOPIC'],
    [agent, `${own}/command/c-1`, 'FOREIGN_TOPIC'],
    [agent, '$SYS/broker/new/clients', 'UNKNOWN_TOPIC'],
    [agent, 'imlma/v2/demo/gw-1/readings', 'UNKNOWN_TOPIC'],
    [agent, `${own}/readings/extra`, 'UNKNOWN_TOPIC'],
    [coordinator, `${own}/ack`, 'accepted'],
    [coordinator, `${own}/chunk/r-1`, 'accepted'],
    [coordinator, `${own}/readings`, 'FOREIGN_TOPIC'],
    [coordinator, `${own}/command/c-1`, 'FOREIGN_TOPIC'],
    [technician, `${own}/command/c-1`, 'accepted'],
    [technician, 'imlma/v1/demo/_all/command/c-1', 'accepted'],
    [technician, `${own}/desired`, 'FOREIGN_TOPIC'],
    [technician, `${own}/ack`, 'FOREIGN_TOPIC'],
    [technician, `${own}/result/c-1`, 'accepted'],
    [identify('mqttjs_1a2b'), `${own}/readings`, 'accepted'],
    [identify('mqttjs_1a2b'), `${own}/ack`, 'FOREIGN_TOPIC'],
    [technician, 'imlma/v1/demo/_all/readings', 'FOREIGN_TOPIC'],
  ])('%o to %s is %s', (identity, topic, expected) => {
    expect(codeOf(identity, topic)).toBe(expected)
  })

  test('only retained channels may be retained', () => {
    expect(codeOf(agent, `${own}/presence`, true)).toBe('accepted')
    expect(codeOf(coordinator, `${own}/desired`, true)).toBe('accepted')
    expect(codeOf(technician, `${own}/command/c-1`, true)).toBe('RETAINED')
    expect(codeOf(agent, `${own}/readings`, true)).toBe('RETAINED')
  })
})

describe('subscribing', () => {
  test.each([
    [agent, 'imlma/v1/demo/gw-1/ack', true],
    [agent, 'imlma/v1/demo/gw-1/#', true],
    [agent, 'imlma/v1/demo/_all/command/+', true],
    [agent, 'imlma/v1/demo/gw-2/ack', false],
    [agent, 'imlma/v1/demo/gw-10/ack', false],
    [agent, 'imlma/v1/demo/+/ack', false],
    [agent, 'imlma/v1/demo/_all/#', false],
    [agent, '#', false],
    [technician, 'imlma/v1/+/+/result/+', true],
    [technician, '#', true],
    [technician, '$SYS/#', false],
    [coordinator, 'imlma/v1/+/+/readings', true],
    [coordinator, '$imlma/quarantine/#', false],
  ])('%o to %s: %s', (identity, filter, expected) => {
    expect(maySubscribe(identity, filter)).toBe(expected)
  })
})
