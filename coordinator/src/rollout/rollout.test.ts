import { generateKeyPair, createSigner, toKeyId, verifySignature } from '@imlma/protocol/node'
import {
  desiredPayloadType,
  desiredSchema,
  openEnvelope,
  parseEnvelope,
  sealEnvelope,
  type Desired,
  type TrustRoot,
} from '@imlma/protocol/trust'
import type { Presence, Reported, ReportedModel } from '@imlma/protocol/wire'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { AgentRecord, Fleet, FleetChange } from '../fleet/fleet.ts'
import type { RegistryEvent } from '../registry/events.ts'
import { openDatabase, type RegistryDatabase } from '../storage/database.sqlite.ts'
import { createStateStore } from '../storage/states.kysely.ts'
import type { AssignedVersion } from './assigned.ts'
import { createFleetWait } from './fleet-wait.timer.ts'
import { createRollout, type Rollout } from './rollout.ts'
import { createRolloutStore } from './store.ts'

const pair = generateKeyPair()
const keyid = toKeyId(pair.publicKey)
const director = createSigner(pair.secretKey)
const role = { keyids: [keyid], threshold: 1 }
const root: TrustRoot = {
  v: 1,
  version: 1,
  expiresAt: 4e12,
  keys: {
    [keyid]: { scheme: 'ed25519', public: Buffer.from(pair.publicKey).toString('base64'), name: 'director' },
  },
  roles: { root: role, release: role, director: role, technician: role, agent: role },
}
const versionOf = (version: number): AssignedVersion => ({
  version,
  envelopeSha256: String(version).repeat(64).slice(0, 64),
  artifactSha256: `a${String(version).repeat(63)}`.slice(0, 64),
})
const envelopeOf = (sha256: string) => sealEnvelope('text', { sha256 }, [director])

/** A fleet that says what the test lets it say. */
const createSpokenFleet = () => {
  const records = new Map<string, AgentRecord>()
  const listeners = new Set<(change: FleetChange) => void>()
  const fleet: Pick<Fleet, 'agents' | 'agent' | 'subscribe'> = {
    agents: () => [...records.values()],
    agent: (_site, agent) => records.get(agent),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const put = (kind: 'presence' | 'reported', agent: string, change: Partial<AgentRecord>) => {
    const record: AgentRecord = {
      site: 'demo',
      agent,
      presence: null,
      heardAt: 0,
      reported: null,
      windows: {},
      process: null,
      ...records.get(agent),
      ...change,
    }
    records.set(agent, record)
    for (const listener of listeners) listener({ kind, agent: record })
  }
  const online: Presence = {
    v: 1,
    state: 'online',
    bootId: 'b',
    agentVersion: '0',
    capabilities: [],
    at: 0,
  }
  return {
    fleet,
    comes: (agent: string, capabilities: string[] = []) =>
      put('presence', agent, { presence: { ...online, capabilities } }),
    leaves: (agent: string) => put('presence', agent, { presence: { ...online, state: 'offline' } }),
    reports: (agent: string, desiredCounter: number, model: Partial<ReportedModel>) => {
      const reported: Reported = {
        v: 1,
        bootId: 'b',
        agentVersion: '0',
        at: 0,
        desiredCounter,
        rootVersion: 1,
        backlog: { batches: 0, bytes: 0, readings: 0, dropped: 0, oldestAt: null },
        models: {
          load: {
            phase: 'idle',
            active: null,
            previous: null,
            challenger: null,
            pinned: false,
            releaseMax: 0,
            quarantined: [],
            outcome: null,
            ...model,
          },
        },
      }
      put('reported', agent, { reported })
    },
  }
}

describe('a rollout', () => {
  let db: RegistryDatabase
  let rollout: Rollout
  let house: ReturnType<typeof createSpokenFleet>
  let sent: { agent: string; desired: Desired }[]
  let facts: RegistryEvent[]
  let reconnect: () => void
  let connected: boolean
  let now = 1_000

  const begin = async (champions: Record<string, AssignedVersion> = {}) => {
    rollout = await createRollout(
      {
        client: {
          connected: () => connected,
          onConnect: (listener) => {
            reconnect = listener
            return () => undefined
          },
          publish: async (_channel, { agent }, payload) => {
            const envelope = parseEnvelope(payload)
            if (!envelope.ok) throw new Error(envelope.refusal.message)
            const desired = openEnvelope(envelope.value, {
              payloadType: desiredPayloadType,
              schema: desiredSchema,
              root,
              role: 'director',
              verify: verifySignature,
            })
            if (!desired.ok) throw new Error(desired.refusal.message)
            sent.push({ agent, desired: desired.value })
          },
        },
        fleet: house.fleet,
        registry: { append: async (events) => (facts.push(...events), []) },
        store: createRolloutStore(createStateStore(db), () => now),
        seal: (payloadType, document) => sealEnvelope(payloadType, document, [director]),
        envelope: async (sha256) => envelopeOf(sha256),
        roots: () => ({ version: 1, chain: [] }),
        waits: createFleetWait(),
        now: () => now,
        onFailure: (error) => {
          throw error
        },
      },
      champions,
      { site: 'demo' },
    )
  }

  beforeEach(async () => {
    db = openDatabase(':memory:')
    house = createSpokenFleet()
    sent = []
    facts = []
    connected = true
    now = 1_000
    await begin()
  })
  afterEach(async () => {
    await rollout.stop()
    await db.destroy()
  })

  test('tells every agent the promoted version, signed by the director', async () => {
    house.comes('gw-1')
    house.comes('gw-2')
    expect(await rollout.assign('load', versionOf(1))).toEqual(['gw-1', 'gw-2'])
    expect(sent.map(({ agent, desired }) => [agent, desired.agent, desired.counter])).toEqual([
      ['gw-1', 'gw-1', 1],
      ['gw-2', 'gw-2', 1],
    ])
    expect(sent[0]?.desired.models['load']?.manifest).toEqual(envelopeOf(versionOf(1).envelopeSha256))
  })

  test('tells an agent that comes later, without being asked', async () => {
    await rollout.assign('load', versionOf(1))
    house.comes('gw-9')
    await vi.waitFor(() => expect(sent.map(({ agent }) => agent)).toEqual(['gw-9']))
  })

  test('never repeats a counter, also after a restart', async () => {
    house.comes('gw-1')
    await rollout.assign('load', versionOf(1))
    await rollout.stop()
    await begin({ load: versionOf(1) })
    await rollout.assign('load', versionOf(2))
    expect(sent.map(({ desired }) => desired.counter)).toEqual([1, 2])
  })

  test('keeps an assignment that could not be published, and publishes the same bytes at the next connect', async () => {
    house.comes('gw-1')
    connected = false
    await rollout.assign('load', versionOf(1))
    expect(sent).toEqual([])
    connected = true
    reconnect()
    await vi.waitFor(() => expect(sent).toHaveLength(1))
    now = 9_000
    reconnect()
    await vi.waitFor(() => expect(sent).toHaveLength(2))
    expect(sent[1]).toEqual(sent[0])
  })

  test('is settled when every online agent serves the version or has refused it', async () => {
    const version = versionOf(1)
    const active = { version: 1, release: 1, sha256: version.artifactSha256 }
    house.comes('gw-1')
    house.comes('gw-2')
    house.comes('gw-3')
    await rollout.assign('load', version)
    let settled = false
    const waiting = rollout.settled('load', 60_000).then(() => {
      settled = true
    })
    house.reports('gw-1', 1, { active })
    house.leaves('gw-3')
    await vi.waitFor(() => expect(rollout.assignments()).toHaveLength(3))
    expect(settled).toBe(false)
    house.reports('gw-2', 1, {
      outcome: {
        version: 1,
        sha256: version.artifactSha256,
        state: 'refused',
        reason: 'BAD_DIGEST',
        detail: '',
        durationsMs: {},
        at: 5,
      },
    })
    await waiting
    expect(facts).toMatchObject([{ kind: 'version-deployed', agent: 'gw-2', reason: 'BAD_DIGEST' }])
  })

  test('does not wait for ever', async () => {
    house.comes('gw-1')
    await rollout.assign('load', versionOf(1))
    await rollout.settled('load', 10)
    expect(facts).toEqual([])
  })

  describe('of a version in shadow', () => {
    const shadow = { ...versionOf(2), champion: 1, share: 1 }
    const shadowsSent = () => sent.map(({ agent, desired }) => [agent, desired.models['load']?.shadow])
    beforeEach(async () => {
      house.comes('gw-1', ['shadow'])
      house.comes('gw-2')
      await rollout.assign('load', versionOf(1))
      sent = []
    })

    test('tells those that can run it, beside the champion and with a higher counter', async () => {
      expect(await rollout.shadow('load', shadow)).toEqual(['gw-1'])
      expect(sent).toMatchObject([{ agent: 'gw-1', desired: { counter: 2 } }])
      const entry = sent[0]?.desired.models['load']
      expect(entry).toEqual({
        manifest: envelopeOf(versionOf(1).envelopeSha256),
        mode: 'active',
        shadow: envelopeOf(shadow.envelopeSha256),
      })
    })

    test('takes it back when it is over', async () => {
      await rollout.shadow('load', shadow)
      await rollout.shadow('load', undefined)
      expect(shadowsSent()).toEqual([
        ['gw-1', envelopeOf(shadow.envelopeSha256)],
        ['gw-1', undefined],
      ])
    })

    test('publishes it again after a reconnect, and after a restart tells nothing new', async () => {
      await rollout.shadow('load', shadow)
      reconnect()
      await vi.waitFor(() => expect(sent.filter(({ agent }) => agent === 'gw-1')).toHaveLength(2))
      await rollout.stop()
      await begin({ load: versionOf(1) })
      expect(await rollout.shadow('load', shadow)).toEqual([])
    })

    test('does not tell it twice to an agent that goes and comes back', async () => {
      await rollout.shadow('load', shadow)
      house.leaves('gw-1')
      house.comes('gw-1', ['shadow'])
      expect(await rollout.review()).toEqual([])
      expect(shadowsSent()).toHaveLength(1)
    })

    test('drops it in the very word that names another champion', async () => {
      await rollout.shadow('load', shadow)
      expect(await rollout.assign('load', versionOf(3))).toEqual(['gw-1', 'gw-2'])
      expect(sent.slice(-2).map(({ desired }) => desired.models['load'])).toEqual([
        { manifest: envelopeOf(versionOf(3).envelopeSha256), mode: 'active' },
        { manifest: envelopeOf(versionOf(3).envelopeSha256), mode: 'active' },
      ])
    })

    test('leaves out an agent that is pinned to something else', async () => {
      const active = { version: 7, release: 1, sha256: versionOf(7).artifactSha256 }
      house.reports('gw-1', 1, { pinned: true, active })
      expect(await rollout.shadow('load', shadow)).toEqual([])
    })

    test('tells it again, later, to an agent that had no luck with it', async () => {
      await rollout.shadow('load', shadow)
      const { version, artifactSha256: sha256 } = shadow
      const refused = (reason: 'FETCH_FAILED' | 'GOLDEN_MISMATCH') => {
        const active = { version: 1, release: 1, sha256: versionOf(1).artifactSha256 }
        const said = { version, release: 2, sha256, state: 'refused' as const, reason, detail: '' }
        house.reports('gw-1', 2, { active, shadow: said })
      }
      refused('GOLDEN_MISMATCH')
      now += 700_000
      expect(await rollout.review()).toEqual([])
      refused('FETCH_FAILED')
      await vi.waitFor(() => expect(sent.at(-1)?.desired.counter).toBe(3))
    })

    test('reaches about the share of the agents that it is for, always the same ones', async () => {
      for (let i = 0; i < 200; i += 1) house.comes(`many-${i}`, ['shadow'])
      await rollout.review()
      const told = await rollout.shadow('load', { ...shadow, share: 0.25 })
      expect(told.length).toBeGreaterThan(30)
      expect(told.length).toBeLessThan(70)
      await rollout.shadow('load', undefined)
      expect(await rollout.shadow('load', { ...shadow, share: 0.25 })).toEqual(told)
    })
  })

  test('leaves a pinned agent alone and records the pin once', async () => {
    house.comes('gw-1')
    await rollout.assign('load', versionOf(2))
    const pinned = { pinned: true, active: { version: 1, release: 1, sha256: versionOf(1).artifactSha256 } }
    house.reports('gw-1', 1, pinned)
    house.reports('gw-1', 1, pinned)
    await vi.waitFor(() => expect(facts).toHaveLength(1))
    expect(facts[0]).toMatchObject({ kind: 'pin-changed', pinned: true, version: 1 })
    expect(await rollout.assign('load', versionOf(3))).toEqual([])
    now += 60_000
    house.reports('gw-1', 1, { ...pinned, pinned: false })
    await vi.waitFor(() => expect(sent.at(-1)?.desired.counter).toBe(2))
    expect(sent.at(-1)?.desired.models['load']?.manifest).toEqual(envelopeOf(versionOf(3).envelopeSha256))
  })
})
