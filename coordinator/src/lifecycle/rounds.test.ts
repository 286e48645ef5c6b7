import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSigner, generateKeyPair } from '@imlma/protocol/node'
import { sealEnvelope } from '@imlma/protocol/trust'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createRandom } from '../api/testing/random.ts'
import { createFreeze } from '../control/freeze.fs.ts'
import { openSnapshot } from '../datasets/snapshot.fs.ts'
import { hashRows } from '../gate/rows.crypto.ts'
import type { Decision, Trigger } from '../registry/events.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import type { Registry, VersionRecord } from '../registry/registry.ts'
import { createArtifactStore } from '../storage/artifacts.fs.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import { createReadingsStore } from '../storage/readings.sqlite.ts'
import type { ReadingsStore } from '../storage/readings.ts'
import { runEvaluationJob } from '../training/evaluate-job.onnx.ts'
import { runTrainingJob } from '../training/run-job.onnx.ts'
import type { Trainer } from '../training/trainer.fork.ts'
import { candidateSchema } from './candidate.ts'
import { modelDefinitionSchema, type ModelDefinition } from './definition.ts'
import { createEffects } from './effects.ts'
import { createJudge } from './judge.ts'
import { createLifecycle } from './lifecycle.ts'

const hourMs = 3_600_000
const start = Date.UTC(2024, 0, 1)
const register = '1-0:1.29.0'
const meters = ['m-1', 'm-2', 'm-3']
const trigger: Trigger = { kind: 'volume', evidence: {}, at: 0 }

const definitionOf = (more: Record<string, unknown> = {}): ModelDefinition =>
  modelDefinitionSchema.parse({
    name: 'load',
    quantity: 'active energy',
    unit: 'kWh',
    register,
    intervalMs: hourMs,
    horizon: 6,
    trigger: { volume: 1, intervalMs: hourMs, readingsMin: 100 },
    data: { evaluationMs: 14 * 24 * hourMs },
    ...more,
  })

/** kWh an hour: a day's and a week's shape, and a slow disturbance that yesterday tells little about. */
const loadOf = (meter: number, days: number): Float32Array => {
  const random = createRandom(meter + 1)
  let disturbance = 0
  return Float32Array.from({ length: days * 24 }, (_, i) => {
    disturbance = 0.9 * disturbance + 0.5 * (random() - 0.5)
    const shape =
      4 + 1.5 * Math.sin((2 * Math.PI * (i + meter)) / 24) - (Math.floor(i / 24) % 7 > 4 ? 0.8 : 0)
    return Math.round(1_000 * (shape + disturbance)) / 1_000
  })
}

/** A fifth of the values, in stretches of two days, stand where they stood; other days at each meter. */
const flattened = (values: Float32Array, meter: number): Float32Array => {
  const flat = values.slice()
  for (let at = 24 * (2 + meter); at + 48 <= flat.length; at += 240)
    flat.fill(flat[at] as number, at, at + 48)
  return flat
}

/** Real learning in this process: what a process of its own adds is tested with the trainer. */
const trainer: Trainer = {
  train: (job) => runTrainingJob(job, { onProgress: () => undefined, signal: new AbortController().signal }),
  evaluate: (job) => runEvaluationJob(job),
}

describe('rounds of retraining', () => {
  let folder: string
  let registry: Registry
  let readings: ReadingsStore
  let artifacts: ArtifactStore

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-rounds-'))
    registry = await openRegistry({
      db: openDatabase(join(folder, 'registry.db')),
      head: createHeadFile(join(folder, 'head.json')),
    })
    artifacts = await createArtifactStore(join(folder, 'artifacts'))
    readings = createReadingsStore(':memory:')
  })
  afterEach(async () => {
    readings.close()
    await registry.close()
    await rm(folder, { recursive: true, force: true })
  })

  let seq = 0
  const deliver = (
    fromDay: number,
    toDay: number,
    change = (values: Float32Array, _meter: number) => values,
  ) => {
    seq += 1
    const series = meters.map((meter, index) => ({
      meter,
      register,
      interval: hourMs,
      start: start + fromDay * 24 * hourMs,
      values: change(loadOf(index, toDay), index).slice(fromDay * 24),
    }))
    const batch = { v: 1 as const, seq, sentAt: 0, historical: false, series }
    readings.accept([{ site: 'north', agent: 'gw-1', receivedAt: 0, bytes: Uint8Array.of(seq), batch }])
    readings.fold(10)
  }

  const createParts = () => {
    const freeze = createFreeze({ readings, artifacts, folder: join(folder, 'training') }, { site: 'north' })
    const judge = createJudge({ artifacts, evaluator: () => trainer, hashRows })
    return { freeze, judge }
  }

  /** One run from its trigger to its end. */
  const round = async (definition: ModelDefinition): Promise<void> => {
    const { freeze, judge } = createParts()
    const signer = createSigner(generateKeyPair().secretKey)
    const triggers = [trigger]
    const lifecycle = await createLifecycle(
      {
        registry,
        decideTrigger: async () => triggers.pop(),
        concludeShadow: async () => [],
        onStarted: async () => undefined,
        perform: createEffects({
          registry,
          artifacts,
          freeze,
          trainer: () => trainer,
          judge,
          examine: async () => undefined,
          studies: { begin: async () => ({}), keep: async () => undefined },
          seal: (type, manifest) => sealEnvelope(type, manifest, [signer]),
          rollout: { assign: async () => [], settled: async () => undefined },
          outputFolder: join(folder, 'training'),
          codeVersion: 'test',
          now: () => 1_000,
        }),
        newRunId: () => `run-${seq}`,
        now: () => 1_000,
        onFailure: (error) => {
          throw error
        },
      },
      [definition],
    )
    await lifecycle.tick()
    await vi.waitFor(
      async () => {
        const [last] = await registry.latestEvents(1)
        expect(['run-completed', 'run-failed']).toContain(last?.event.kind)
        expect(last?.event).toMatchObject({ run: `run-${seq}` })
      },
      { interval: 10, timeout: 30_000 },
    )
    await lifecycle.stop()
  }

  const lastEvent = async () => (await registry.latestEvents(1))[0]?.event
  const pathOf = async (sha256: string) => (await artifacts.path(sha256)) as string

  /** MSE of each version on the last two weeks of what the meters really used. */
  const trueErrors = async (versions: readonly VersionRecord[], days: number): Promise<readonly number[]> => {
    const truth = createReadingsStore(':memory:')
    const mine = readings
    readings = truth
    deliver(0, days)
    const frozen = await createParts().freeze(definitionOf())
    readings = mine
    truth.close()
    if (!frozen.ok) throw new Error(frozen.refusal.message)
    const evaluations = await trainer.evaluate({
      dataset: { path: await pathOf(frozen.value.sha256), sha256: frozen.value.sha256 },
      register,
      range: frozen.value.evaluation,
      originStride: 1,
      contenders: await Promise.all(
        versions.map(async ({ artifact, run }) => ({
          path: await pathOf(artifact.sha256),
          spec: (await candidateOf(run)).contract.features,
        })),
      ),
    })
    return evaluations.map(({ errors }) => errors.squaredErrorSum / errors.count)
  }

  const trainedIn = async (run: string) => {
    const events = (await registry.events({ limit: 1_000 })).map(({ event }) => event)
    const trained = events.find((event) => event.kind === 'version-trained' && event.run === run)
    if (trained?.kind !== 'version-trained') throw new Error(`nothing was trained in ${run}`)
    return trained
  }
  const candidateOf = async (run: string) => {
    const bytes = await artifacts.get((await trainedIn(run)).candidateSha256)
    return candidateSchema.parse(JSON.parse(new TextDecoder().decode(bytes)))
  }

  describe('on readings a fifth of which is flat-lined', () => {
    beforeEach(async () => {
      deliver(0, 60)
      await round(definitionOf())
      // The same window again, and forty days more, now with the fault in all of it.
      readings.close()
      readings = createReadingsStore(':memory:')
      deliver(0, 100, flattened)
    })

    test('learn from the rest: the champion is not replaced by something worse', async () => {
      await round(definitionOf())
      const [first, second] = await registry.versions('load')
      expect(first!.state).toBe('promoted')
      const { quality, sha256 } = second!.dataset
      expect((quality!.flagged['frozen'] ?? 0) / quality!.expected).toBeGreaterThan(0.18)
      expect(quality!.series.map(({ meter }) => meter).toSorted()).toEqual(meters)
      const { series } = await openSnapshot(await pathOf(sha256), sha256)
      expect(longestRow(series.flatMap(({ values }) => [...values]))).toBeLessThan(24)

      const [before, after] = await trueErrors([first!, second!], 100)
      expect(after).toBeLessThan(1.08 * before!)
      const champion = await registry.champion('load')
      const [serving] = await trueErrors([champion!], 100)
      expect(serving).toBeLessThan(1.01 * before!)
    })

    test('refuse to train where more must be left: the champion is not touched', async () => {
      await round(definitionOf({ data: { evaluationMs: 14 * 24 * hourMs, completenessMin: 0.9 } }))
      expect(await lastEvent()).toMatchObject({
        kind: 'run-failed',
        code: expect.stringMatching(/INCOMPLETE|TOO_FEW_READINGS/),
        message: expect.stringContaining('frozen'),
      })
      expect((await registry.champion('load'))?.version).toBe(1)
      expect(await registry.versions('load')).toHaveLength(1)
    })

    test('would have learned the fault without the checks', async () => {
      await round(definitionOf({ quality: { frozenHours: 8_784 } }))
      const [first, second] = await registry.versions('load')
      expect(second!.dataset.quality!.flagged['frozen']).toBeUndefined()
      const [before, after] = await trueErrors([first!, second!], 100)
      expect(after).toBeGreaterThan(1.1 * before!)
    })
  })

  test('decide independently, ten in a row: each decision follows from its own record alone', async () => {
    const rounds = 10
    const definition = definitionOf()
    for (let number = 0; number < rounds; number++) {
      const from = number === 0 ? 0 : 40 + 4 * number
      deliver(from, 44 + 4 * number)
      await round(definition)
    }
    const versions = await registry.versions('load')
    expect(versions.map(({ version }) => version)).toEqual(Array.from({ length: rounds }, (_, i) => i + 1))
    expect(new Set(versions.map(({ dataset }) => dataset.sha256)).size).toBe(rounds)
    const ends = versions.map(({ dataset }) => (dataset.window.end - start) / (24 * hourMs))
    expect(ends).toEqual(versions.map((_, i) => 44 + 4 * i))

    // Everything again from the records, the last round first, by parts that know nothing of the rounds before.
    for (const record of versions.toReversed()) {
      const { decision, dataset } = record
      const again = await trainer.train({
        dataset: { path: await pathOf(dataset.sha256), sha256: dataset.sha256 },
        task: definition,
        learner: record.learner,
        parameters: definition.parameters,
        seed: record.seed,
        outputFolder: join(folder, 'again'),
      })
      expect(again.sha256).toBe(record.artifact.sha256)
      const against = decision!.champion.version
      expect(against).toBe(record.parent)
      const decided = await createParts().judge({
        definition,
        dataset,
        trained: await trainedIn(record.run),
        candidate: await candidateOf(record.run),
        champion: versions.find(({ version }) => version === against),
        signal: new AbortController().signal,
      })
      expect(withoutTimes(decided)).toEqual(withoutTimes(decision!))
    }
    expect((await registry.verify()).ok).toBe(true)
  }, 60_000)
})

/** How long a run took is measured anew each time, and what follows of a decision is not the judge's. */
const withoutTimes = (decision: Decision) => {
  const { checks, reasons, shadow: _, ...rest } = decision
  const timeless = checks.filter(({ name }) => name !== 'latency')
  const details = new Set(checks.filter(({ name }) => name === 'latency').map(({ detail }) => detail))
  return { ...rest, checks: timeless, reasons: reasons.filter((reason) => !details.has(reason)) }
}

/** Most equal values in a row. */
const longestRow = (values: readonly number[]): number => {
  let [row, longest] = [0, 0]
  values.forEach((value, i) => {
    row = value === values[i - 1] ? row + 1 : 1
    longest = Math.max(longest, row)
  })
  return longest
}
