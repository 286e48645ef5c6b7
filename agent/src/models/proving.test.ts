import { describe, expect, test } from 'vitest'
import { encodeFloat32 } from '@imlma/protocol/manifest'
import { Failure } from '@imlma/protocol/result'
import { watchProbation } from './probation.ts'
import type { Serving, Session, SessionRun } from './serving.ts'
import { createSessions } from './sessions.ts'
import { artifact, contract, version } from './testing/story.contract.ts'
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
  const create = () => {
    const listeners = new Set<(run: SessionRun) => void>()
    let pass = (): void => undefined
    const serving: Pick<Serving, 'onRun'> = {
      onRun: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }
    const wait = (_ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        pass = resolve
        signal.addEventListener('abort', () => resolve())
      })
    const verdict = watchProbation({ serving, wait }, identity, new AbortController().signal, {
      probationRuns: 3,
    })
    const run = (outcome: SessionRun['outcome'], sha256 = identity.sha256) => {
      for (const listener of listeners) listener({ ...identity, sha256, outcome })
    }
    return { verdict, run, pass: () => pass(), listeners }
  }

  test('is over after enough answered runs', async () => {
    const { verdict, run, listeners } = create()
    for (let runs = 0; runs < 3; runs += 1) run('answered')
    expect(await verdict).toMatchObject({ ok: true })
    expect(listeners.size).toBe(0)
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
