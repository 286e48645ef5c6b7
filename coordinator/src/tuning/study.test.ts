import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createStudy,
  objectionToConfiguration,
  objectionToSpace,
  resumeStudy,
  type Configuration,
  type Outcome,
  type SearchSpace,
  type Study,
} from './index.ts'

const mixed: SearchSpace = {
  learner: { kind: 'categorical', choices: ['ridge', 'trees', 'naive'] },
  lambda: { kind: 'float', low: 1e-4, high: 1e4, log: true, when: { parameter: 'learner', in: ['ridge'] } },
  depth: { kind: 'integer', low: 2, high: 9, when: { parameter: 'learner', in: ['trees'] } },
  rate: { kind: 'float', low: 0.01, high: 0.5, log: true, when: { parameter: 'learner', in: ['trees'] } },
  days: { kind: 'integer', low: 1, high: 512, log: true },
  holidays: { kind: 'categorical', choices: [true, false] },
}

const plane: SearchSpace = {
  x: { kind: 'float', low: -2, high: 2 },
  y: { kind: 'float', low: -2, high: 2 },
}

/** A bowl with its floor at (0.7, −1.1). */
const bowl = ({ x, y }: Configuration): number => ((x as number) - 0.7) ** 2 + 2 * ((y as number) + 1.1) ** 2

const mixedLoss = ({ learner, lambda, depth, rate, days, holidays }: Configuration): number => {
  const own =
    learner === 'ridge'
      ? 0.3 + Math.abs(Math.log10(lambda as number) - 1) / 5
      : learner === 'trees'
        ? 0.1 + Math.abs((depth as number) - 6) / 10 + Math.abs(Math.log10((rate as number) / 0.1))
        : 1
  return own + Math.abs(Math.log2((days as number) / 60)) / 10 + (holidays === true ? 0 : 0.1)
}

const done = (value: number): Outcome => ({ kind: 'done', value })

const run = (study: Study, loss: (configuration: Configuration) => number, trials: number): Study => {
  for (let i = 0; i < trials; i++) {
    const { number, configuration } = study.ask()
    study.tell(number, done(loss(configuration)))
  }
  return study
}

const asked = (study: Study) => study.state.trials.map(({ configuration }) => configuration)

describe('a study', () => {
  test('finds the floor of a bowl', () => {
    const best = run(createStudy({ space: plane, seed: 1 }), bowl, 25).best()!
    expect(best.value).toBeLessThan(1e-3)
    expect(bowl(best.configuration)).toBe(best.value)
  })

  test.each([1, 2, 3])(
    'finds the best of a space with learners, integers and conditions, seed %d',
    (seed) => {
      const best = run(createStudy({ space: mixed, seed }), mixedLoss, 50).best()!
      expect(best.configuration['learner']).toBe('trees')
      expect(best.value).toBeLessThan(0.2)
    },
  )

  test('never asks for a parameter that is absent, out of range or of the wrong kind', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 1, max: 3 }), (seed, batch) => {
        const study = createStudy({ space: mixed, seed, startTrials: 5 })
        for (let round = 0; round < 5; round++) {
          const trials = Array.from({ length: batch }, () => study.ask())
          for (const { number, configuration } of trials) {
            expect(objectionToConfiguration(mixed, configuration)).toBeUndefined()
            study.tell(
              number,
              number % 4 === 3 ? { kind: 'failed', reason: 'x' } : done(mixedLoss(configuration)),
            )
          }
        }
      }),
      { seed: 8, numRuns: 12 },
    )
  })

  test('the same seed and the same tells give the same asks; another seed gives others', () => {
    const [a, b, c] = [1, 1, 2].map((seed) => run(createStudy({ space: mixed, seed }), mixedLoss, 18))
    expect(asked(a!)).toEqual(asked(b!))
    expect(asked(a!)).not.toEqual(asked(c!))
  })

  test('a study that was stored as JSON at any trial goes on as the one that was not', () => {
    const whole = run(createStudy({ space: mixed, seed: 5 }), mixedLoss, 20)
    for (const cut of [0, 3, 12, 13, 19]) {
      const half = run(createStudy({ space: mixed, seed: 5 }), mixedLoss, cut)
      const again = run(resumeStudy(JSON.parse(JSON.stringify(half.state))), mixedLoss, 20 - cut)
      expect(again.state).toEqual(whole.state)
    }
  })

  test('asking and telling replace the state and leave the old one as it was', () => {
    const study = createStudy({ space: plane, seed: 1 })
    const before = study.state
    const { number } = study.ask()
    const between = study.state
    study.tell(number, done(1))
    expect(before.trials).toHaveLength(0)
    expect(between.trials[0]!.outcome).toBeUndefined()
    expect(study.state.trials[0]!.outcome).toEqual(done(1))
  })

  test('a trial is told once, and only if it was asked for', () => {
    const study = createStudy({ space: plane, seed: 1 })
    study.ask()
    expect(study.tell(0, done(1)).ok).toBe(true)
    expect(study.tell(0, done(2))).toMatchObject({ ok: false, refusal: { code: 'already-told' } })
    expect(study.tell(1, done(2))).toMatchObject({ ok: false, refusal: { code: 'unknown-trial' } })
    expect(study.best()!.value).toBe(1)
  })

  test('trials of a batch differ from each other', () => {
    const study = run(createStudy({ space: plane, seed: 3 }), bowl, 8)
    const batch = Array.from({ length: 4 }, () => study.ask().configuration)
    for (const [i, a] of batch.entries())
      for (const b of batch.slice(0, i))
        expect(
          Math.hypot((a['x'] as number) - (b['x'] as number), (a['y'] as number) - (b['y'] as number)),
        ).toBeGreaterThan(1e-3)
  })

  test('given configurations come first, in order, each once', () => {
    const given = [
      { x: 0, y: 0 },
      { x: 1, y: 1 },
      { x: 0, y: 0 },
    ]
    const study = createStudy({ space: plane, seed: 1, given })
    run(study, bowl, 3)
    expect(asked(study).slice(0, 2)).toEqual(given.slice(0, 2))
    expect(study.state.trials.map(({ purpose }) => purpose)).toEqual(['given', 'given', 'start'])
  })

  test('a small finite space is tried without repeats, then goes on with repeats', () => {
    const space: SearchSpace = {
      a: { kind: 'integer', low: 1, high: 3 },
      b: { kind: 'categorical', choices: ['u', 'v', 'w'] },
    }
    const study = run(createStudy({ space, seed: 4, startTrials: 4 }), ({ a }) => a as number, 11)
    expect(
      new Set(
        asked(study)
          .slice(0, 9)
          .map((one) => JSON.stringify(one)),
      ).size,
    ).toBe(9)
    expect(study.state.trials).toHaveLength(11)
  })
})

describe('failed trials', () => {
  const fails = ({ x }: Configuration): boolean => (x as number) > 0.5
  const away = (a: Configuration, b: Configuration): number =>
    Math.hypot(((a['x'] as number) - (b['x'] as number)) / 4, ((a['y'] as number) - (b['y'] as number)) / 4)

  test('are never proposed again nearby', () => {
    const study = createStudy({ space: plane, seed: 2 })
    const failed: Configuration[] = []
    for (let i = 0; i < 40; i++) {
      const { number, configuration } = study.ask()
      for (const one of failed) expect(away(one, configuration)).toBeGreaterThan(0.0499)
      const bad = fails(configuration)
      if (bad) failed.push(configuration)
      study.tell(number, bad ? { kind: 'failed', reason: 'diverged' } : done(bowl(configuration)))
    }
    expect(failed.length).toBeGreaterThan(0)
    expect(failed.length).toBeLessThan(20)
    expect(study.best()!.configuration['x']).toBeGreaterThan(0.35)
  })

  test('a value that is no finite number is a failure', () => {
    const study = createStudy({ space: plane, seed: 2 })
    study.ask()
    study.tell(0, done(Number.NaN))
    expect(study.state.trials[0]!.outcome?.kind).toBe('failed')
    expect(study.best()).toBeUndefined()
  })

  test('a study in which everything fails keeps asking', () => {
    const study = createStudy({ space: plane, seed: 2 })
    for (let i = 0; i < 20; i++) study.tell(study.ask().number, { kind: 'failed', reason: 'x' })
    expect(new Set(asked(study).map((one) => JSON.stringify(one))).size).toBe(20)
  })
})

describe('what a study knows beyond its values', () => {
  test('previous studies make it start near their best and end lower', () => {
    const old = run(createStudy({ space: plane, seed: 9 }), (at) => 100 + 3 * bowl(at), 20)
    const past = [
      old.state.trials.map(({ configuration, outcome }) => ({
        configuration,
        value: outcome!.kind === 'done' ? outcome!.value : 0,
      })),
    ]
    const shifted = ({ x, y }: Configuration) => bowl({ x: (x as number) - 0.1, y: (y as number) - 0.1 })
    const warm = [1, 2, 3, 4, 5].map((seed) => run(createStudy({ space: plane, seed, past }), shifted, 8))
    const cold = [1, 2, 3, 4, 5].map((seed) => run(createStudy({ space: plane, seed }), shifted, 8))
    const middle = (studies: readonly Study[]) =>
      studies.map((study) => study.best()!.value).toSorted((a, b) => a - b)[2]!
    expect(asked(warm[0]!)[0]).toEqual(old.best()!.configuration)
    expect(middle(warm)).toBeLessThan(0.3 * middle(cold))
  })

  test('a misleading previous study does not keep it from the floor', () => {
    const wrong = Array.from({ length: 20 }, (_, i) => {
      const configuration = { x: -2 + (i % 5), y: -2 + Math.floor(i / 5) }
      return { configuration, value: -bowl(configuration) }
    })
    expect(run(createStudy({ space: plane, seed: 1, past: [wrong] }), bowl, 30).best()!.value).toBeLessThan(
      0.01,
    )
  })

  test('past trials that do not fit the space are left out', () => {
    const past = [Array.from({ length: 5 }, (_, i) => ({ configuration: { x: 9 + i, z: 1 }, value: i }))]
    expect(asked(run(createStudy({ space: plane, seed: 1, past }), bowl, 3))).toEqual(
      asked(run(createStudy({ space: plane, seed: 1 }), bowl, 3)),
    )
  })

  test('where trial times differ much, cheap trials are preferred among equals', () => {
    const space: SearchSpace = { x: { kind: 'float', low: -1, high: 1 } }
    const twoFloors = ({ x }: Configuration) =>
      (Math.abs(x as number) - 0.5) ** 2 + 0.05 * Math.sin(40 * (x as number))
    const spend = (timed: boolean): number => {
      const study = createStudy({ space, seed: 6, startTrials: 8 })
      let seconds = 0
      for (let i = 0; i < 24; i++) {
        const { number, configuration } = study.ask()
        const own = Math.exp(3 * (configuration['x'] as number))
        seconds += i < 8 ? 0 : own
        study.tell(number, { kind: 'done', value: twoFloors(configuration), ...(timed && { seconds: own }) })
      }
      return seconds
    }
    expect(spend(true)).toBeLessThan(0.6 * spend(false))
  })

  test('is exhausted when a noisy bowl has no more to give, and not before', () => {
    const study = createStudy({ space: { x: { kind: 'float', low: -1, high: 1 } }, seed: 1 })
    let ended: number | undefined
    for (let i = 0; i < 60 && ended === undefined; i++) {
      const { number, configuration } = study.ask()
      study.tell(number, done((configuration['x'] as number) ** 2 + 0.05 * Math.sin(1e5 * (number + 1) ** 2)))
      if (study.isExhausted()) ended = i
    }
    expect(ended).toBeGreaterThan(8)
    expect(ended).toBeLessThan(59)
  })

  test('a discarded trial counts as no better than the median', () => {
    const study = createStudy({ space: plane, seed: 1 })
    for (let i = 0; i < 12; i++) {
      const { number, configuration } = study.ask()
      study.tell(number, i === 7 ? { kind: 'discarded', value: -1e9 } : done(bowl(configuration)))
    }
    expect(study.best()!.value).toBeGreaterThanOrEqual(0)
    expect(run(study, bowl, 15).best()!.value).toBeLessThan(0.01)
  })
})

describe('a space', () => {
  const refused: readonly (readonly [string, SearchSpace])[] = [
    ['nothing', {}],
    ['a range upside down', { a: { kind: 'float', low: 1, high: 0 } }],
    ['a range without end', { a: { kind: 'float', low: 0, high: Infinity } }],
    ['a logarithm of zero', { a: { kind: 'float', low: 0, high: 1, log: true } }],
    ['half an integer', { a: { kind: 'integer', low: 0.5, high: 2 } }],
    ['no choices', { a: { kind: 'categorical', choices: [] } }],
    ['a choice twice', { a: { kind: 'categorical', choices: ['x', 'x'] } }],
    ['a condition on nothing', { a: { kind: 'float', low: 0, high: 1, when: { parameter: 'b', in: [1] } } }],
  ]
  test.each(refused)('with %s is refused', (_, space) => {
    expect(objectionToSpace(space)).toBeTypeOf('string')
    expect(() => createStudy({ space, seed: 1 })).toThrow('invariant')
  })

  const strangers: readonly Configuration[] = [
    { learner: 'ridge', days: 7, holidays: true },
    { learner: 'ridge', lambda: 1, depth: 3, days: 7, holidays: true },
    { learner: 'ridge', lambda: 1e5, days: 7, holidays: true },
    { learner: 'ridge', lambda: 1, days: 7.5, holidays: true },
    { learner: 'ridge', lambda: 1, days: 7, holidays: 'yes' },
    { learner: 'other', days: 7, holidays: true },
    { learner: 'naive', days: 7, holidays: true, more: 1 },
  ]
  test.each(strangers)('%j is no configuration of it', (configuration) => {
    expect(objectionToConfiguration(mixed, configuration)).toBeTypeOf('string')
  })
})
