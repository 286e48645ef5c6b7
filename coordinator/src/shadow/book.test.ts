import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ComparedDay } from '@imlma/protocol/wire'
import { createRandom } from '../api/testing/random.ts'
import {
  beginBook,
  dayMs,
  evidenceOf,
  shadowBookSchema,
  shadowRules,
  stepBook,
  verdictAt,
  type ShadowBook,
  type ShadowReport,
  type ShadowRules,
} from './book.ts'
import { toDecision, toEvidence } from './decision.ts'
import { comparedDay } from './testing/compared.ts'

const daily = shadowRules(dayMs)
const begin = (rules: ShadowRules = daily): ShadowBook =>
  beginBook({ model: 'load', version: 4, champion: 3, artifactSha256: 'a'.repeat(64), heardAt: 0 }, rules)

let reports = 0
const report = (agent: string, ...days: readonly ComparedDay[]): ShadowReport => {
  reports += 1
  return { agent, report: `boot ${reports}`, days, at: reports }
}
const stepAll = (list: readonly ShadowReport[], rules = daily, book = begin(rules)): ShadowBook =>
  list.reduce((before, each) => stepBook(before, each, rules), book)

/** One agent, a report a day; the last day stays open. */
const daysOf = (count: number, options: Parameters<typeof comparedDay>[1]): readonly ShadowReport[] =>
  Array.from({ length: count + 1 }, (_, day) => report('gw-1', comparedDay(day + 1, options)))

describe('the book of a shadow', () => {
  test('promotes a challenger that is clearly better, with the numbers of all its days', () => {
    const book = stepAll(daysOf(60, { ratio: 0.9 }))
    expect(book.verdict).toBe('promoted')
    const { evidence, needed } = evidenceOf(book, daily)
    expect(evidence).toBeGreaterThanOrEqual(needed)
    const { total } = book
    expect(total.days).toBeLessThan(60)
    const decision = toDecision(book, 'promoted', daily, 'ridge')
    expect(decision).toMatchObject({
      verdict: 'promote',
      window: { start: dayMs, end: (total.days + 1) * dayMs },
      rows: 96 * total.days,
      champion: { version: 3, learner: 'ridge', mse: 1, mae: 1 },
    })
    expect(decision.challenger.mse).toBeCloseTo(0.81, 9)
    expect(decision.challenger.mae).toBeCloseTo(0.9, 9)
    // The actuals' variance is 125 − 10² = 25.
    expect(decision.champion.r2).toBeCloseTo(1 - 1 / 25, 9)
    expect(decision.checks.map(({ name, passed }) => [name, passed])).toEqual([
      ['mse', true],
      ['mae', true],
      ['r2', true],
      ['failures', true],
      ['sequential-squared', true],
      ['sequential-absolute', true],
    ])
    expect(decision.checks.at(-1)?.numbers).toMatchObject({ days: expect.any(Number) as number, needed: 40 })
  })

  test('rejects one that is clearly worse', () => {
    const book = stepAll(daysOf(60, { ratio: 1.1 }))
    expect(book.verdict).toBe('rejected')
    const decision = toDecision(book, 'rejected', daily, 'ridge')
    expect(decision.verdict).toBe('reject')
    expect(decision.reasons[0]).toMatch(/^WORSE_IN_SHADOW/)
    expect(toEvidence(book, daily)).toMatchObject({ champion: 3, days: book.total.days, failures: 0 })
  })

  test('lets one go that shows nothing in ninety days, and not a day before', () => {
    expect(stepAll(daysOf(89, {})).verdict).toBe('inconclusive')
    const book = stepAll(daysOf(90, {}))
    expect(book.verdict).toBe('expired')
    expect(toDecision(book, 'expired', daily, 'ridge').reasons[0]).toMatch(/^SHADOW_EXPIRED/)
  })

  test('lets one go of which nobody reports anything for two weeks', () => {
    const book = stepAll(daysOf(3, {}))
    const silent = book.heardAt + daily.silenceMsMax
    expect(verdictAt(book, silent, daily)).toBe('inconclusive')
    expect(verdictAt(book, silent + 1, daily)).toBe('expired')
    expect(toDecision(book, 'expired', daily, 'ridge').reasons[0]).toMatch(/^SHADOW_SILENT/)
    expect(toDecision(begin(), 'expired', daily, 'ridge')).toMatchObject({
      rows: 0,
      challenger: { mse: null },
    })
  })

  test('needs a proof in both losses', () => {
    const better = (day: number): ComparedDay => {
      const compared = comparedDay(day, { ratio: 0.9 })
      return { ...compared, challenger: { ...compared.challenger, absolute: compared.champion.absolute } }
    }
    const book = stepAll(Array.from({ length: 80 }, (_, day) => report('gw-1', better(day))))
    expect(book.squared.verdict).toBe('promote')
    expect(book.verdict).toBe('inconclusive')
  })

  test('takes a forecast that is no number for an infinite loss: such a version is never promoted', () => {
    const once = [report('gw-1', comparedDay(0, { ratio: 0.9, failures: 1 })), ...daysOf(80, { ratio: 0.9 })]
    const book = stepAll(once)
    expect([book.squared.verdict, book.absolute.verdict]).toEqual(['promote', 'promote'])
    expect(book.verdict).toBe('inconclusive')
    expect(stepAll(daysOf(60, { ratio: 0.5, failures: 1 })).verdict).toBe('rejected')
  })

  test('gives no further word once it has given one', () => {
    const book = stepAll(daysOf(60, { ratio: 0.9 }))
    expect(stepBook(book, report('gw-1', comparedDay(99, { ratio: 2 })), daily)).toBe(book)
  })

  test('weighs a day by all pairs of the fleet', () => {
    const book = stepAll([
      report('gw-1', comparedDay(1, { ratio: 0.5, count: 10 })),
      report('gw-2', comparedDay(1, { ratio: 1.5, count: 30 })),
      report('gw-1', comparedDay(2)),
      report('gw-2', comparedDay(2)),
    ])
    // Absolute losses of 5 and 45 against 40 in all: worse than the champion by 10 of 90.
    expect(book.absolute).toMatchObject({ days: 1, differenceSum: -10 / 90 })
    expect(book.total).toMatchObject({ count: 40, days: 1 })
  })
})

describe('a report', () => {
  test('that comes again changes nothing, also after others', () => {
    const first = report('gw-1', comparedDay(1))
    const book = stepAll([first, report('gw-1', comparedDay(2)), report('gw-2', comparedDay(1))])
    expect(stepBook(book, first, daily)).toBe(book)
  })

  test('of another agent with the same identity counts', () => {
    const one = report('gw-1', comparedDay(1))
    expect(stepAll([one, { ...one, agent: 'gw-2' }]).open).toMatchObject([{ count: 192 }])
  })

  test('of a day that is closed is late and not used', () => {
    const book = stepAll([...daysOf(5, {}), report('gw-2', comparedDay(3, { failures: 4 }))])
    expect(book.latePairs).toBe(100)
    expect(book.total).toMatchObject({ days: 5, count: 5 * 96, failures: 0 })
  })
})

describe('a day', () => {
  const agents = ['gw-1', 'gw-2', 'gw-3', 'gw-4']
  const allOn = (day: number, who = agents) => who.map((agent) => report(agent, comparedDay(day)))

  test('is closed when every agent has gone past it', () => {
    const three = stepAll([...allOn(1), ...allOn(2, agents.slice(0, 3))])
    expect(three.total.days).toBe(0)
    expect(stepAll(allOn(2, agents.slice(3)), daily, three).total.days).toBe(1)
  })

  test('is closed without an agent that is cut off when half of them are two days past it', () => {
    const ahead = agents.slice(0, 2)
    const before = stepAll([...allOn(1), ...allOn(2, ahead), ...allOn(3, ahead)])
    expect(before.total.days).toBe(0)
    const [first, second] = allOn(4, ahead)
    expect(stepAll([first!], daily, before).total.days).toBe(0)
    expect(stepAll([first!, second!], daily, before).total.days).toBe(1)
  })

  test('is not closed by one wrong clock', () => {
    const book = stepAll([...allOn(1), report('gw-1', comparedDay(50_000))])
    expect(book).toMatchObject({ total: { days: 0 }, closedUpTo: null })
    expect(stepAll([...allOn(2), ...allOn(3)], daily, book).total.days).toBe(2)
  })

  test('does not wait for agents that have said nothing for two days', () => {
    const book = stepAll(allOn(1))
    const later = { ...report('gw-1', comparedDay(2)), at: book.heardAt + daily.agentSilenceMs + 5 }
    expect(stepBook(book, later, daily).total.days).toBe(1)
  })

  test('is closed in the end when more stay open than are kept', () => {
    const many = Array.from({ length: daily.openDaysMax }, (_, day) => report('gw-1', comparedDay(day + 1)))
    const book = stepAll([...allOn(1), ...many.slice(1), report('gw-1', comparedDay(99))], {
      ...daily,
      graceDays: 1_000,
    })
    expect(book.open).toHaveLength(daily.openDaysMax)
    expect(book.total.days).toBe(1)
  })

  test.each([
    ['an hour', dayMs / 24, 1],
    ['a day', dayMs, 1],
    ['a day and a half', 1.5 * dayMs, 2],
    ['two days', 2 * dayMs, 3],
    ['a week', 7 * dayMs, 8],
  ])('is one of a block for a horizon of %s that is longer than it', (_, horizonMs, blockDays) => {
    const rules = shadowRules(horizonMs)
    expect(rules.blockDays).toBe(blockDays)
    const book = stepAll(daysOf(2 * blockDays + blockDays - 1, {}), rules)
    expect(book.squared.days).toBe(2)
    expect(book.total.days).toBe(2 * blockDays)
  })
})

describe('whatever order reports come in', () => {
  const arbitrary = fc.record({
    /** Which agent reports next; each goes through its own days in order. */
    order: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 20, maxLength: 120 }),
    again: fc.array(fc.nat(), { maxLength: 20 }),
    counts: fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 8, maxLength: 8 }),
  })
  const reportsOf = ({ order, counts }: { order: number[]; counts: number[] }): readonly ShadowReport[] => {
    const days = [0, 0, 0, 0]
    return order.map((agent, index) => {
      const half = (days[agent] = (days[agent] ?? 0) + 1)
      const count = counts[(index + agent) % counts.length] as number
      return {
        agent: `gw-${agent}`,
        report: `boot ${half}`,
        at: index,
        days: [
          comparedDay(Math.floor(half / 2), {
            count,
            ratio: 1 + ((index % 3) - 1) / 10,
            failures: index % 7 === 0 ? 1 : 0,
          }),
        ],
      }
    })
  }
  const patient: ShadowRules = { ...daily, reportsMax: 200 }

  test('every pair is counted once: used, open, or late', () => {
    fc.assert(
      fc.property(arbitrary, (drawn) => {
        const list = reportsOf(drawn)
        const repeated = list.flatMap((each, index) => [
          each,
          ...drawn.again
            .filter((at) => at % list.length === index)
            .map(() => list[index >> 1] as ShadowReport),
        ])
        const book = stepAll(repeated, patient)
        fc.pre(book.verdict === 'inconclusive')
        const all = list.reduce((sum, { days }) => sum + (days[0]?.count ?? 0) + (days[0]?.failures ?? 0), 0)
        const sums = [...book.open, book.block, book.total]
        expect(sums.reduce((sum, { count, failures }) => sum + count + failures, book.latePairs)).toBe(all)
        expect(book.open.every(({ day }) => day > (book.closedUpTo ?? -1))).toBe(true)
      }),
      { seed: 11, numRuns: 300 },
    )
  })

  test('a book that was written and read goes on as if nothing had happened', () => {
    fc.assert(
      fc.property(arbitrary, fc.nat(), (drawn, cut) => {
        const list = reportsOf(drawn)
        const at = cut % list.length
        const written = JSON.stringify(stepAll(list.slice(0, at), patient))
        const read = shadowBookSchema.parse(JSON.parse(written))
        // What was on its way when the power went comes again.
        const resumed = stepAll(list.slice(Math.max(0, at - 3)), patient, read)
        expect(resumed).toEqual(stepAll(list, patient))
      }),
      { seed: 12, numRuns: 200 },
    )
  })

  test('agents that keep step give the same book in any order of a day', () => {
    const counts = [5, 7, 11, 13]
    const day = (number: number, order: readonly number[]) =>
      order.map((agent) => ({
        agent: `gw-${agent}`,
        report: `boot ${number}`,
        at: number,
        days: [comparedDay(number, { count: counts[agent] as number, ratio: 2 })],
      }))
    const shuffle = fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 })
    fc.assert(
      fc.property(fc.array(shuffle, { minLength: 6, maxLength: 6 }), (orders) => {
        const first = day(0, [0, 1, 2, 3])
        const straight = stepAll([...first, ...orders.flatMap((_, i) => day(i + 1, [0, 1, 2, 3]))])
        const mixed = stepAll([...first, ...orders.flatMap((order, i) => day(i + 1, order))])
        expect({ ...mixed, agents: {} }).toEqual({ ...straight, agents: {} })
      }),
      { seed: 13, numRuns: 50 },
    )
  })
})

describe('looking every day', () => {
  /** Days of a fleet: weather that both share, and luck of each; the challenger's errors are `ratio` of the champion's. */
  const simulate = (seed: number, ratio: number): ShadowBook => {
    const random = createRandom(seed)
    let weather = 0
    let book = begin()
    for (let day = 1; day <= 91 && book.verdict === 'inconclusive'; day += 1) {
      weather = 0.8 * weather + 0.5 * (random() - 0.5)
      const luck = () => Math.exp(weather + 0.25 * (random() + random() - 1))
      const [champion, challenger] = [luck(), luck() * ratio]
      const losses = (error: number) => ({ squared: 96 * error * error, absolute: 96 * error })
      const compared = { ...comparedDay(day), champion: losses(champion), challenger: losses(challenger) }
      book = stepBook(book, report('gw-1', compared), daily)
    }
    return book
  }
  const shareOf = (runs: number, ratio: number, verdict: ShadowBook['verdict']): number =>
    Array.from({ length: runs }, (_, seed) => simulate(seed + 1, ratio).verdict).filter((v) => v === verdict)
      .length / runs

  test('promotes an equally good challenger in at most 2.5 % of all shadows, and rejects as few of them as worse', () => {
    expect(shareOf(600, 1, 'promoted')).toBeLessThanOrEqual(0.025)
    // Two losses, each of which may reject.
    expect(shareOf(600, 1, 'rejected')).toBeLessThanOrEqual(0.05)
  })

  test('finds nine of ten that make a tenth less of an error', () => {
    expect(shareOf(100, 0.9, 'promoted')).toBeGreaterThan(0.9)
  })
})
