import { describe, expect, test } from 'vitest'
import { createSigner, generateKeyPair, verifySignature } from '@imlma/protocol/node'
import { sealEnvelope, toBase64, type Signer, type TrustRoot } from '@imlma/protocol/trust'
import { commandPayloadType, encodeJson, type Command } from '@imlma/protocol/wire'
import { createClock } from '../../clock/clock.ts'
import { nothingProven } from '../../clock/proven-time.ts'
import { emptyAgentState } from '../agent-state.ts'
import { admitCommand } from './admission.ts'
import { enter } from './ledger.ts'

const now = Date.UTC(2027, 5, 1)

const newTechnician = (name: string) => {
  const { publicKey, secretKey } = generateKeyPair()
  const signer = createSigner(secretKey)
  const entry = { scheme: 'ed25519' as const, public: toBase64(publicKey), name }
  return { signer, keyid: signer.keyid, entry }
}
const ada = newTechnician('Ada')
const adaLaptop = newTechnician('ada ')
const ben = newTechnician('Ben')
const director = newTechnician('director')

const rootOf = (groupThreshold?: number): TrustRoot => {
  const role = (...holders: readonly (typeof ada)[]) => ({
    keyids: holders.map(({ keyid }) => keyid),
    threshold: 1,
  })
  const technician = role(ada, adaLaptop, ben)
  return {
    v: 1,
    version: 1,
    expiresAt: 4e12,
    keys: Object.fromEntries([ada, adaLaptop, ben, director].map(({ keyid, entry }) => [keyid, entry])),
    roles: {
      root: role(director),
      release: role(director),
      director: role(director),
      technician: groupThreshold === undefined ? technician : { ...technician, groupThreshold },
      agent: role(),
    },
  }
}

const admit = (
  agents: Command['agents'],
  signers: readonly Signer[],
  { root = rootOf(), ledger = emptyAgentState.commands, counter = 5 } = {},
) => {
  const command: Command = {
    v: 1,
    commandId: `c-${counter}`,
    site: 'demo',
    agents,
    model: 'load',
    operation: 'rollback',
    target: 'previous',
    reason: 'too low',
    notBefore: now - 1,
    expiresAt: now + 1,
    counter,
  }
  const payload = encodeJson(sealEnvelope(commandPayloadType, command, signers))
  const clock = createClock({ now: () => now, monotonicMs: () => 0 }, nothingProven)
  const terms = { root, verify: verifySignature, site: 'demo', agent: 'gw-1', clock, ledger }
  return admitCommand({ id: command.commandId, payload, retained: false }, terms)
}
const codeOf = (result: ReturnType<typeof admit>) => (result.ok ? result.value.kind : result.refusal.code)

describe('a command', () => {
  test('to one agent takes one technician, also where its name stands there twice', () => {
    expect(codeOf(admit(['gw-1'], [ada.signer]))).toBe('new')
    expect(codeOf(admit(['gw-1', 'gw-1'], [ada.signer]))).toBe('new')
  })

  test.each<[string, Command['agents']]>([
    ['to the whole site', ['*']],
    ['to two agents', ['gw-1', 'gw-2']],
  ])('%s takes two people', (_name, agents) => {
    expect(admit(agents, [ada.signer])).toMatchObject({
      refusal: { code: 'NOT_AUTHORISED', hint: expect.stringContaining('imlma approve') },
    })
    expect(codeOf(admit(agents, [ada.signer, ada.signer]))).toBe('NOT_AUTHORISED')
    expect(codeOf(admit(agents, [ada.signer, adaLaptop.signer]))).toBe('NOT_AUTHORISED')
    expect(codeOf(admit(agents, [ada.signer, director.signer]))).toBe('NOT_AUTHORISED')
    expect(codeOf(admit(agents, [ada.signer, ben.signer]))).toBe('new')
  })

  test('takes as many people as the root says', () => {
    expect(codeOf(admit(['*'], [ada.signer], { root: rootOf(1) }))).toBe('new')
    expect(codeOf(admit(['*'], [ada.signer, ben.signer], { root: rootOf(3) }))).toBe('NOT_AUTHORISED')
  })

  test('by two people is a replay once either of them has signed a later one that was carried out', () => {
    const both = admit(['*'], [ada.signer, ben.signer])
    if (!both.ok || both.value.kind !== 'new') throw new Error('not admitted')
    expect([...both.value.keyids].toSorted()).toEqual([ada.keyid, ben.keyid].toSorted())
    const result = {
      v: 1,
      commandId: 'c-9',
      state: 'succeeded',
      code: null,
      detail: '',
      serving: {},
      at: 0,
    } as const
    const ledger = enter(
      emptyAgentState.commands,
      { ...both.value.command, commandId: 'c-9', counter: 9 },
      [ben.keyid],
      result,
    )
    expect(codeOf(admit(['*'], [ada.signer, ben.signer], { ledger }))).toBe('REPLAYED')
    expect(codeOf(admit(['*'], [ada.signer, ben.signer], { ledger, counter: 10 }))).toBe('new')
    expect(codeOf(admit(['gw-1'], [ada.signer], { ledger }))).toBe('new')
  })
})
