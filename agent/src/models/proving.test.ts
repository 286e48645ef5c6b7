import { describe, expect, test } from 'vitest'
import { encodeFloat32 } from '@imlma/protocol/manifest'
import { Failure } from '@imlma/protocol/result'
import { watchProbation, type ProbationOptions } from './probation.ts'
import type { Serving, Session, SessionRun } from './serving.ts'
import { createSessions } from './sessions.ts'
import { artifact, contract, version } from './testing/story.contract.ts'
import type { Trial, TrialEvidence, Trials } from './trials.ts'
import { proveGolden, proveLatency } from './warm.ts'

const identity = { model: 'load', version: 1, sha256: version(1).sha256 }
const session = (run: Session['run']): Session => ({
  ...identity,
  contract,
  run,
  close: async () => undefined,
})
const faithful = session(async (input) => artifact(1).answer(input))

describe('the golden vectors', () => {
  test('a faithful session passes', async () => {
    expect(await proveGolden(faithful, version(1).manifest)).toMatchObject({ ok: true })
  })

  test.each([
    ['answers a little off', async () => Float32Array.of(0, 1.01)],
    ['answers NaN', async () => Float32Array.of(Number.NaN, Number.NaN)],
    ['answers too much', async () => new Float32Array(3)],
  ])('a session that %s does not', async (_, run) => {
    expect(await proveGolden(session(run), version(1).manifest)).toMatchObject({
      refusal: { code: 'GOLDEN_MISMATCH' },
    })
  })

  describe('with quantiles', () => {
    const { manifest } = version(1)
    const range = Float32Array.of(1, 2, 3, 4)
    const signed = {
      ...manifest,
      contract: { ...manifest.contract, quantiles: [0.1, 0.9] },
      golden: {
        ...manifest.golden,
        vectors: manifest.golden.vectors.map((vector, i) =>
          i === 1 ? { ...vector, quantiles: encodeFloat32(range) } : vector,
        ),
      },
    }
    const answering = (values: readonly number[]) =>
      session(async (input, _rows, _into, quantilesInto) => {
        quantilesInto?.set(values)
        return artifact(1).answer(input)
      })

    test('are proven on both outputs', async () => {
      expect(await proveGolden(answering([1, 2, 3, 4]), signed)).toMatchObject({ ok: true })
    })

    test.each([
      ['answers other quantiles', answering([1, 2, 3, 4.1])],
      ['does not answer them', faithful],
    ])('fail with a session that %s', async (_, one) => {
      expect(await proveGolden(one, signed)).toMatchObject({ refusal: { code: 'GOLDEN_MISMATCH' } })
    })
  })

  test('a session that does not run did not really load', async () => {
    const broken = session(() => Promise.reject(new Failure('RUN_FAILED', 'broken')))
    expect(await proveGolden(broken, version(1).manifest)).toMatchObject({ refusal: { code: 'LOAD_FAILED' } })
  })
})

describe('the latency', () => {
  const { manifest } = version(1)
  /** A clock that moves by the next of these at every second look. */
  const clock = (durations: (run: number) => number) => {
    let looks = 0
    let time = 0
    return () => {
      looks += 1
      if (looks % 2 === 0) time += durations(looks / 2 - 1)
      return time
    }
  }
  const budget = manifest.reference.latencyMsBudget

  test('slow warm-up runs do not count', async () => {
    const now = clock((run) => (run < 5 ? budget * 10 : 1))
    expect(await proveLatency(faithful, manifest, now)).toMatchObject({ ok: true })
  })

  test('a moment in which the gateway was busy does not count, being slow throughout does', async () => {
    const options = { warmUpRuns: 0, timedRuns: 50 }
    const slowUntil = (end: number) => clock((run) => (run < end ? budget + 1 : 1))
    expect(await proveLatency(faithful, manifest, slowUntil(100), options)).toMatchObject({ ok: true })
    expect(await proveLatency(faithful, manifest, slowUntil(150), options)).toMatchObject({
      refusal: { code: 'LATENCY' },
    })
  })

  test('the slowest of a hundred may be slow, two may not', async () => {
    const options = { warmUpRuns: 0, timedRuns: 100, timedSeriesMax: 1 }
    const slow = (count: number) => clock((run) => (run < count ? budget + 1 : 1))
    expect(await proveLatency(faithful, manifest, slow(1), options)).toMatchObject({ ok: true })
    expect(await proveLatency(faithful, manifest, slow(2), options)).toMatchObject({
      refusal: { code: 'LATENCY' },
    })
  })
})

describe('a probation', () => {
  const { reference } = version(1).manifest
  const level = { histogram: { edges: [0, 10], counts: [0, 1, 0] }, rows: 1 }
  const terms = {
    challenger: identity,
    champion: undefined,
    reference: { ...reference, inputs: { 'lag 1': level } },
  }
  const create = (options: ProbationOptions = { probationRuns: 3 }) => {
    const listeners = new Set<(run: SessionRun) => void>()
    const trial: { found?: Trial; tell?: (evidence: TrialEvidence) => void } = {}
    let pass = (): void => undefined
    const serving: Pick<Serving, 'onRun'> = {
      onRun: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }
    const trials: Trials = {
      begin: (found, tell) => {
        Object.assign(trial, { found, tell })
        return () => {
          delete trial.tell
        }
      },
    }
    const wait = (_ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        pass = resolve
        signal.addEventListener('abort', () => resolve())
      })
    const verdict = watchProbation({ serving, trials, wait }, terms, new AbortController().signal, options)
    const run = (
      outcome: SessionRun['outcome'],
      sha256 = identity.sha256,
      took = { rows: 1, durationMs: 0 },
    ) => {
      for (const listener of listeners) listener({ ...identity, sha256, outcome, ...took })
    }
    const tell = (evidence: Partial<TrialEvidence>) => trial.tell?.({ ...noEvidence, ...evidence })
    return { verdict, run, pass: () => pass(), tell, listeners, trial }
  }
  const noEvidence: TrialEvidence = {
    eventMs: 0,
    pairs: 0,
    challenger: { squared: 0, absolute: 0 },
    champion: { squared: 0, absolute: 0 },
    values: 0,
    outside: 0,
    championValues: 0,
    championOutside: 0,
  }
  /** As many pairs, the challenger's errors this many times the champion's. */
  const errors = (ratio: number, pairs = 96) => ({
    pairs,
    champion: { squared: pairs, absolute: pairs },
    challenger: { squared: pairs * ratio * ratio, absolute: pairs * ratio },
  })

  test('is over after enough answered runs', async () => {
    const { verdict, run, listeners, trial } = create()
    for (let runs = 0; runs < 3; runs += 1) run('answered')
    expect(await verdict).toMatchObject({ ok: true })
    expect(listeners.size).toBe(0)
    expect(trial.tell).toBeUndefined()
  })

  test('is over after the time, also without a run', async () => {
    const { verdict, pass } = create()
    pass()
    expect(await verdict).toMatchObject({ ok: true })
  })

  test.each([
    ['failed', 'CRASHED'],
    ['not-finite', 'ACCURACY'],
  ] as const)('ends at once with a run that is %s', async (outcome, code) => {
    const { verdict, run } = create()
    run('answered')
    run(outcome)
    expect(await verdict).toMatchObject({ refusal: { code } })
  })

  test('does not count what another version answers', async () => {
    const { verdict, run, pass } = create()
    run('failed', version(2).sha256)
    pass()
    expect(await verdict).toMatchObject({ ok: true })
  })

  test('goes on through the hours of readings that it takes, however many runs there were', async () => {
    const { verdict, run, tell, listeners } = create({ probationRuns: 2, probationEventMs: 1_000 })
    for (let runs = 0; runs < 9; runs += 1) run('answered')
    tell({ eventMs: 999 })
    expect(listeners.size).toBe(1)
    tell({ eventMs: 1_000 })
    expect(await verdict).toMatchObject({ ok: true })
  })

  test.each([
    ['a little worse than the champion', 1.19, 96, true],
    ['worse than the champion', 1.21, 96, false],
    ['worse over too few intervals', 9, 95, true],
  ])('at its end, one that is %s', async (_, ratio, pairs, ok) => {
    const { verdict, run, tell, pass } = create({ probationRuns: 9 })
    run('answered')
    tell(errors(ratio, pairs))
    pass()
    expect(await verdict).toMatchObject(ok ? { ok } : { refusal: { code: 'ACCURACY' } })
  })

  test('ends before its time where the errors leave no hope', async () => {
    const { verdict, tell, listeners } = create({ probationRuns: 9 })
    tell(errors(2.39))
    expect(listeners.size).toBe(1)
    tell(errors(2.41))
    expect(await verdict).toMatchObject({ refusal: { code: 'ACCURACY' } })
  })

  test('a champion without an error is no reason to take anything back', async () => {
    const { verdict, tell, pass } = create()
    tell({ pairs: 96 })
    pass()
    expect(await verdict).toMatchObject({ ok: true })
  })

  test('holds the forecasts against the range of training, with as much again on either side', async () => {
    const { trial, pass, verdict } = create()
    pass()
    await verdict
    expect(trial.found?.range).toEqual({ low: -10, high: 20 })
  })

  test('forecasts far outside of what training knew are no forecasts, unless the champion makes them too', async () => {
    const values = { values: 1_000, outside: 11, championValues: 100 }
    const alone = create({ probationRuns: 9 })
    alone.tell({ ...values, outside: 10 })
    expect(alone.listeners.size).toBe(1)
    alone.tell(values)
    expect(await alone.verdict).toMatchObject({ refusal: { code: 'ACCURACY' } })
    const both = create()
    both.tell({ ...values, championOutside: 1 })
    both.pass()
    expect(await both.verdict).toMatchObject({ ok: true })
  })

  test('more slow runs than others are too many, a few are not', async () => {
    const budget = reference.latencyMsBudget
    const slow = { rows: 2, durationMs: budget * 2 + 1 }
    const busy = create({ probationRuns: 6 })
    for (let runs = 0; runs < 6; runs += 1) busy.run('answered', undefined, runs % 2 === 1 ? slow : undefined)
    expect(await busy.verdict).toMatchObject({ ok: true })
    const late = create({ probationRuns: 6 })
    for (let runs = 0; runs < 5; runs += 1) late.run('answered', undefined, runs < 3 ? slow : undefined)
    expect(await late.verdict).toMatchObject({ refusal: { code: 'LATENCY' } })
  })
})

describe('the sessions', () => {
  const create = () => {
    const closed: string[] = []
    const loads: string[] = []
    const lent = new Map<string, Session>()
    const serving: Serving = {
      load: async (_path, named, signed) => {
        loads.push(named.sha256)
        return {
          ...named,
          contract: signed,
          run: async (input) => input,
          close: async () => void closed.push(named.sha256),
        }
      },
      activate: (next) => {
        const old = lent.get(next.model)
        lent.set(next.model, next)
        void old?.close()
      },
      deactivate: (model) => {
        void lent.get(model)?.close()
        lent.delete(model)
      },
      onRun: () => () => undefined,
    }
    const sessions = createSessions(serving, (cause) => {
      throw cause
    })
    const load = (sha256: string) => sessions.load('p', { ...identity, sha256 }, contract)
    return { sessions, load, closed, loads }
  }

  test('a champion whose challenger answers stays loaded, and takes over again', async () => {
    const { sessions, load, closed, loads } = create()
    await load('a')
    sessions.activate('load', 'a')
    await load('b')
    sessions.activate('load', 'b')
    sessions.retain('load', ['a', 'b'])
    expect(closed).toEqual([])
    sessions.activate('load', 'a')
    sessions.retain('load', ['a'])
    expect(closed).toEqual(['b'])
    expect(loads).toEqual(['a', 'b'])
  })

  test('what answers is not closed before it is replaced, needed or not', async () => {
    const { sessions, load, closed } = create()
    await load('a')
    sessions.activate('load', 'a')
    sessions.retain('load', [])
    expect(closed).toEqual([])
    sessions.deactivate('load')
    expect(closed).toEqual(['a'])
  })

  test('two that ask for the same digest at the same time get the same session', async () => {
    const { load, loads } = create()
    const [one, other] = await Promise.all([load('a'), load('a')])
    expect(one).toBe(other)
    expect(loads).toEqual(['a'])
  })
})
