import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '@imlma/protocol/limits'
import { createSigner, generateKeyPair } from '@imlma/protocol/node'
import type { Envelope, Signer } from '@imlma/protocol/trust'
import type { Command, CommandResult, ReportedModel } from '@imlma/protocol/wire'
import type { Api } from './house/api.http.ts'
import { newCommand, readSigner, sign } from './house/order.crypto.ts'
import { createFolder, type Folder } from './house/places.fs.ts'
import { createScene, type Scene } from './house/scene.process.ts'
import { until } from './house/until.timer.ts'
import { watchAgents, type Watch } from './house/watch.mqtt.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000
/** Eight weeks of hourly readings of two meters. */
const readings = 2 * 56 * 24

/** Trained on the same readings, a smaller penalty forecasts better: each version is promoted, on every machine. */
const definition = (penalty: number) => ({
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: hourMs,
  horizon: 24,
  parameters: { lambdas: [penalty] },
  trigger: { volume: 1_000_000, intervalMs: dayMs, readingsMin: readings, coolDownMs: 0 },
  data: { evaluationMs: 21 * dayMs, windowMsMax: 70 * dayMs },
})

/** History only: at the speed of a real clock no hour ends within a story. */
const feedOf = (meter: string) => ({
  kind: 'simulated',
  name: 'feed',
  seed: 1,
  liveFrom: Date.UTC(2025, 2, 3),
  meters: [meter],
  intervalMs: hourMs,
  historyDays: 56,
  speed: 1,
})

let folder: Folder
let scene: Scene
let api: Api
let watch: Watch
let technician: Signer
let counter = 0
beforeAll(async () => {
  folder = await createFolder('rollback')
  scene = await createScene(folder)
  watch = await watchAgents(scene.broker, scene.inside)
})
afterAll(async () => {
  await watch.end()
  await scene.stop()
  await folder.remove()
})

const keyFile = () => `${folder.path}/technician.key`
const modelOf = (agent: string): ReportedModel | undefined =>
  watch.reports(agent).at(-1)?.message.models['load']
const serves = (agent: string, version: number) =>
  until(`${agent} serves version ${version}`, () => {
    const model = modelOf(agent)
    return model?.active?.version === version && model.phase === 'idle'
  })
const resultsOf = (commandId: string): readonly CommandResult[] =>
  watch
    .results()
    .map(({ message }) => message)
    .filter((result) => result.commandId === commandId)
const finalOf = (commandId: string) =>
  until(`${commandId} has ended`, () =>
    resultsOf(commandId).find(({ state }) => state !== 'accepted' && state !== 'executing'),
  )

const train = async (version: number): Promise<void> => {
  await scene.imlma('retrain load', { reason: 'a story' })
  const round = await until(`version ${version} is decided and where it belongs`, async () => {
    const rounds = await api.rounds()
    return rounds.find((each) => each.version === version && each.state === 'completed')
  })
  expect(round).toMatchObject({ verdict: 'promote', trigger: { kind: 'manual' } })
}

/** Signs with the technician's key; counts by the clock as the key's file does, so that both go on together. */
const order = (agent: string, wish: Partial<Command> & Pick<Command, 'operation'>) => {
  counter = Math.max(counter + 1, Date.now())
  const command = newCommand(agent, { counter, ...wish })
  return { command, commandId: command.commandId, envelope: sign(command, technician) }
}

/** What an agent was sent before is dealt with when it has answered this: it takes one after the other. */
const fence = async (agent: string): Promise<void> => {
  const { commandId, envelope } = order(agent, { operation: 'report', model: null })
  await watch.command(agent, commandId, envelope)
  expect(await finalOf(commandId)).toMatchObject({ state: 'succeeded' })
}

describe('a technician rolls back', () => {
  let rolledBack: { commandId: string; envelope: Envelope; result: CommandResult }

  test('has two versions on both agents, and a key that the agents know', async () => {
    api = await scene.startControl(definition(1))
    await scene.startAgent('gw-1', feedOf('meter-001'))
    await scene.startAgent('gw-2', feedOf('meter-002'))
    await until('all readings are there', async () => {
      const { trigger } = await api.model('load')
      return trigger.readingsTotal === readings
    })
    await train(1)
    await scene.kill('control')
    api = await scene.startControl(definition(0.3))
    await train(2)
    await Promise.all([serves('gw-1', 2), serves('gw-2', 2)])

    const json = await scene.imlma('keys new', { name: 'A. Nguyen', out: keyFile() })
    expect(json).toMatchObject({ rootVersion: 2, handed: true })
    technician = await readSigner(keyFile())
    for (const agent of ['gw-1', 'gw-2']) {
      await until(`${agent} trusts the key`, () => watch.reports(agent).at(-1)?.message.rootVersion === 2)
    }
  })

  test('with the control centre stopped: the agent serves the version before, and holds it', async () => {
    await scene.kill('control')
    const json = await scene.imlma('rollback', {
      agent: 'gw-1',
      model: 'load',
      to: 'previous',
      key: keyFile(),
      reason: 'too low since noon',
    })
    const { commandId, agents } = json as {
      commandId: string
      agents: { agent: string; result: CommandResult }[]
    }
    expect(agents).toMatchObject([{ agent: 'gw-1', result: { state: 'succeeded', serving: { load: 1 } } }])
    const envelope = await until('the order was heard', () => watch.order(commandId))
    rolledBack = { commandId, envelope, result: await finalOf(commandId) }

    await serves('gw-1', 1)
    const later = await watchAgents(scene.broker, scene.inside)
    const reported = await until('the broker hands out what gw-1 reported', () => later.reports('gw-1')[0])
    await later.end()
    expect(reported.retained).toBe(true)
    expect(reported.message.models['load']).toMatchObject({
      phase: 'idle',
      active: { version: 1 },
      pinned: true,
    })
    await serves('gw-2', 2)
  })

  test('the same envelope again is answered with the stored result, and not executed again', async () => {
    const { commandId, envelope, result } = rolledBack
    const before = resultsOf(commandId).length
    await watch.command('gw-1', commandId, envelope)
    await fence('gw-1')
    expect(resultsOf(commandId).slice(before)).toEqual([result])
    // Executed again, `previous` would have led back to version 2.
    expect(modelOf('gw-1')).toMatchObject({ active: { version: 1 }, pinned: true })
  })

  test('an envelope that was made by hand and sent by any MQTT client does the same', async () => {
    const { commandId, envelope } = order('gw-2', { operation: 'rollback', target: 1 })
    const other = await watchAgents(scene.broker, scene.inside, 'some-tool')
    await other.command('gw-2', commandId, envelope)
    expect(await finalOf(commandId)).toMatchObject({ state: 'succeeded', serving: { load: 1 } })
    await other.end()
    await serves('gw-2', 1)
    expect(modelOf('gw-2')?.pinned).toBe(true)
  })

  describe('refuses', () => {
    const unpin = { operation: 'unpin' } as const
    const tampered = ({ payload, ...rest }: Envelope): Envelope => ({
      ...rest,
      payload: Buffer.from(Buffer.from(payload, 'base64').toString().replace('"unpin"', '"pin"')).toString(
        'base64',
      ),
    })
    const forged: readonly (readonly [string, string, () => Promise<{ id: string; payload: unknown }>])[] = [
      [
        'UNKNOWN_KEY',
        'a signature by a stranger',
        async () => {
          const stranger = createSigner(generateKeyPair().secretKey)
          const { command, commandId: id } = order('gw-2', unpin)
          return { id, payload: sign(command, stranger) }
        },
      ],
      [
        'NOT_AUTHORISED',
        'a signature by the release key',
        async () => {
          const release = await readSigner(`${scene.dataDir}/trust/keys/release.json`)
          const { command, commandId: id } = order('gw-2', unpin)
          return { id, payload: sign(command, release) }
        },
      ],
      [
        'BAD_SIGNATURE',
        'a document that was changed after it was signed',
        async () => {
          const { envelope, commandId: id } = order('gw-2', unpin)
          return { id, payload: tampered(envelope) }
        },
      ],
      [
        'EXPIRED',
        'an order that has expired',
        async () => {
          const { envelope, commandId: id } = order('gw-2', { ...unpin, expiresAt: Date.now() - 1_000 })
          return { id, payload: envelope }
        },
      ],
      [
        'NOT_YET_VALID',
        'an order for tomorrow',
        async () => {
          const { envelope, commandId: id } = order('gw-2', { ...unpin, notBefore: Date.now() + dayMs })
          return { id, payload: envelope }
        },
      ],
      [
        'WRONG_TARGET',
        'an order for another agent',
        async () => {
          const { envelope, commandId: id } = order('gw-1', unpin)
          return { id, payload: envelope }
        },
      ],
      [
        'WRONG_TARGET',
        'an order that is sent under another name',
        async () => ({ id: 'another-name', payload: order('gw-2', unpin).envelope }),
      ],
      [
        'REPLAYED',
        'a counter that was used before',
        async () => {
          await fence('gw-2')
          const { envelope, commandId: id } = order('gw-2', { ...unpin, counter })
          return { id, payload: envelope }
        },
      ],
      ['MALFORMED', 'what is no envelope', async () => ({ id: 'no-envelope', payload: 'unpin, please' })],
      [
        'MALFORMED',
        'an operation that does not exist',
        async () => {
          const { envelope, commandId: id } = order('gw-2', { operation: 'explode' as 'pin' })
          return { id, payload: envelope }
        },
      ],
      [
        'TOO_LARGE',
        'more bytes than an envelope has',
        async () => ({ id: 'too-large', payload: ' '.repeat(limits.envelopeBytesMax + 1) }),
      ],
      [
        'UNKNOWN_VERSION',
        'a version that was never there',
        async () => {
          const { envelope, commandId: id } = order('gw-2', { operation: 'rollback', target: 99 })
          return { id, payload: envelope }
        },
      ],
    ]

    test.each(forged)('%s: %s', async (code, _what, forge) => {
      const { id, payload } = await forge()
      await watch.command('gw-2', id, payload)
      expect(await finalOf(id)).toMatchObject({ state: 'refused', code, serving: { load: 1 } })
      expect(modelOf('gw-2')).toMatchObject({ active: { version: 1 }, pinned: true })
    })

    test('RETAINED: an order that would lie in the broker for everyone who comes', async () => {
      const { commandId, envelope } = order('gw-2', unpin)
      await watch.command('gw-2', commandId, envelope, { retain: true })
      expect(await finalOf(commandId)).toMatchObject({ state: 'refused', code: 'RETAINED' })
      expect(modelOf('gw-2')?.pinned).toBe(true)
    })
  })

  test('the control centre comes back and leaves the pinned agent where it is', async () => {
    const { commandId, envelope } = order('gw-2', { operation: 'unpin' })
    await watch.command('gw-2', commandId, envelope)
    expect(await finalOf(commandId)).toMatchObject({ state: 'succeeded' })

    const since = watch.reports('gw-1').length
    const toldBefore = watch.told('gw-1').at(-1)
    api = await scene.startControl(definition(0.05))
    // Nobody holds gw-2 any more: it is brought to the champion, and then to the next one.
    await serves('gw-2', 2)
    await train(3)
    await serves('gw-2', 3)
    await fence('gw-1')
    const reports = watch.reports('gw-1').slice(since)
    for (const { message } of reports) {
      expect(message.models['load']).toMatchObject({ phase: 'idle', active: { version: 1 }, pinned: true })
    }
    // Not even an assignment that the agent would have to decline is made.
    expect(watch.told('gw-1').at(-1)).toBe(toldBefore)
    const agents = await api.agents()
    expect(agents.map(({ agent, models }) => [agent, models[0]?.version, models[0]?.pinned])).toEqual([
      ['gw-1', 1, true],
      ['gw-2', 3, false],
    ])
  })

  test('unpinned, the agent follows the champion again', async () => {
    await scene.imlma('unpin', { agent: 'gw-1', key: keyFile(), reason: 'mended' })
    await serves('gw-1', 3)
    expect(modelOf('gw-1')?.pinned).toBe(false)
  })

  test('the registry tells all of it, and holds', async () => {
    const pins = await until('the unpinning is recorded', async () => {
      const events = (await api.audit()).map(({ event }) => event)
      const found = events.filter(({ kind, agent }) => kind === 'pin-changed' && agent === 'gw-1')
      return found.length >= 2 && found
    })
    expect(pins).toMatchObject([{ pinned: true, version: 1 }, { pinned: false }])
    expect(await scene.imlma('audit verify')).toMatchObject({ intact: true })

    const lineage = await scene.imlma('lineage load 3')
    expect(lineage).toMatchObject({
      version: 3,
      ancestors: [
        { version: 3, state: 'promoted' },
        { version: 2, state: 'promoted' },
        { version: 1, state: 'promoted' },
      ],
    })
    const { steps } = lineage as { steps: { step: string; title: string }[] }
    expect(steps.map(({ step }) => step)).toEqual([
      'trigger',
      'dataset',
      'training',
      'decision',
      'signature',
      'deployment',
      'deployment',
    ])
    const deployed = steps.slice(-2).map(({ title }) => title)
    expect(deployed.toSorted()).toEqual(['gw-1: committed', 'gw-2: committed'])
  })
})
