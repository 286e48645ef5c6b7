import fc from 'fast-check'
import { utc, type Zone } from '@imlma/protocol/series'
import { describe, expect, test } from 'vitest'
import { createRandom } from '../../api/testing/random.ts'
import { bits, keepOut, qualityChecks, tallyOf, type QualityCheck, type QualityMask } from './checks.ts'
import { inspectSeries } from './inspect.ts'
import { toQualityRecord } from './record.ts'
import { qualityDefaults, toRules, type QualitySettings } from './rules.ts'

const hourMs = 3_600_000
const intervalMs = hourMs / 4
const day = 96
const missing = Number.NaN
const start = Date.UTC(2024, 0, 1)
const berlin: Zone = [
  { from: Date.UTC(2023, 9, 29, 1), offsetMs: hourMs },
  { from: Date.UTC(2024, 2, 31, 1), offsetMs: 2 * hourMs },
  { from: Date.UTC(2024, 9, 27, 1), offsetMs: hourMs },
]
const indexOf = (time: number) => (time - start) / intervalMs

/** kWh a quarter hour: a daily shape with noise, three decimals as a meter sends them. */
const load = (seed: number, days = 120): Float32Array => {
  const random = createRandom(seed)
  return Float32Array.from({ length: days * day }, (_, i) => {
    const shape = 3 + 2 * Math.sin((2 * Math.PI * i) / day)
    return Math.round(1_000 * shape * (0.7 + 0.6 * random())) / 1_000
  })
}

const inspect = (
  values: Float32Array,
  { register = '1-0:1.29.0', zone = utc, ...settings }: Partial<QualitySettings> & Context = {},
): QualityMask =>
  inspectSeries(
    { start, intervalMs, values },
    toRules({ meter: 'm-1', register, intervalMs, unit: 'kWh', zone }, { ...qualityDefaults, ...settings }),
  )
interface Context {
  readonly register?: string
  readonly zone?: Zone
}

const indicesOf = (mask: QualityMask, check: QualityCheck): number[] => {
  const bit = 1 << qualityChecks.indexOf(check)
  return [...mask.keys()].filter((i) => ((mask[i] as number) & bit) !== 0)
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

describe('the quality checks', () => {
  test('find nothing against a sound meter', () => {
    for (let seed = 1; seed <= 20; seed++) {
      expect(tallyOf(inspect(load(seed, 366), { zone: berlin, ratedPower: 30 }))).toEqual({
        flagged: {},
        sound: 366 * day,
      })
    }
  })

  test('never change a series, and take one that is empty, short or of nothing but gaps', () => {
    const any = fc.array(fc.oneof(fc.float(), fc.constantFrom(0, 1, missing)), { maxLength: 900 })
    fc.assert(
      fc.property(any, fc.boolean(), (numbers, cumulative) => {
        const values = Float32Array.from(numbers)
        const mask = inspect(values, { cumulative, zone: berlin })
        expect(values).toEqual(Float32Array.from(numbers))
        expect(mask).toHaveLength(values.length)
        // Whatever is missing is a gap, whatever else is found.
        expect(indicesOf(mask, 'gap')).toEqual([...values.keys()].filter((i) => Number.isNaN(values[i])))
      }),
      { seed: 3, numRuns: 200 },
    )
  })

  test('find what is missing, negative, infinite and more than the connection carries', () => {
    const values = load(1)
    values[10] = missing
    values[20] = -0.1
    values[30] = Number.POSITIVE_INFINITY
    values[40] = 9.4
    values[50] = 9.3
    const mask = inspect(values, { ratedPower: 30 })
    expect(indicesOf(mask, 'gap')).toEqual([10])
    expect(indicesOf(mask, 'negative')).toEqual([20])
    expect(indicesOf(mask, 'implausible')).toEqual([20, 30])
    // 30 kW are 7.5 kWh a quarter hour, and 1.25 times that for as long as a fuse holds.
    expect(indicesOf(mask, 'over-rated')).toEqual([30, 40])
    expect(indicesOf(inspect(values, { ratedPower: { other: 30 } }), 'over-rated')).toEqual([])
    expect(indicesOf(inspect(values, { allowNegative: true }), 'negative')).toEqual([])
    expect(indicesOf(inspect(values, { register: '1-0:16.29.0' }), 'negative')).toEqual([])
  })

  test('find a meter that says the same for a day, and leave one in peace that does so for less', () => {
    const values = load(2)
    values.fill(4.2, 1_000, 1_000 + day)
    values[1_050] = missing
    values[1_000 + day] = 4.2
    values.fill(3.1, 2_000, 2_000 + day - 1)
    values.fill(0, 3_000, 3_000 + day)
    const mask = inspect(values)
    const frozen = range(1_000, 1_001 + day).filter((i) => i !== 1_050)
    expect(indicesOf(mask, 'frozen')).toEqual([...frozen, ...range(3_000, 3_000 + day)])
    expect(indicesOf(inspect(values, { allowZero: true }), 'frozen')).toEqual(frozen)
    expect(indicesOf(inspect(values, { frozenHours: 26 }), 'frozen')).toEqual([])
  })

  test('find a day, and an hour, that was stamped twice, and mark the later one', () => {
    const values = load(3)
    values.copyWithin(5_000, 5_000 - day, 5_000)
    values.copyWithin(8_000, 7_996, 8_000)
    const mask = inspect(values)
    expect(indicesOf(mask, 'duplicate')).toEqual([...range(5_000, 5_000 + day), ...range(8_000, 8_004)])
    expect(tallyOf(mask).flagged).toEqual({ duplicate: day + 4 })
  })

  test('do not take a lamp on a timer, or a coarse meter, for a copy', () => {
    const lamp = Float32Array.from({ length: 120 * day }, (_, i) => (i % day < 24 || i % day > 80 ? 0.1 : 0))
    expect(tallyOf(inspect(lamp)).flagged).toEqual({})
    const coarse = load(4).map((value) => Math.round(value / 3))
    expect(tallyOf(inspect(coarse)).flagged).toEqual({})
  })

  test('find values that are not this meter’s, by its own history at that time of day', () => {
    const values = load(5)
    for (const i of [777, 4_001, 9_000]) values[i] = (values[i] as number) * 1_000
    for (const i of [888, 5_002]) values[i] = (values[i] as number) / 1_000
    values[6_000] = 0
    const mask = inspect(values)
    expect(indicesOf(mask, 'implausible')).toEqual([777, 888, 4_001, 5_002, 9_000])
  })

  test('take a habit for what it is, however far above the median', () => {
    const values = load(6, 366).map((value) => value / 10)
    // A car at 11 kW, from ten to midnight, every twentieth night.
    for (let night = 0; night < 366; night += 20) values.fill(2.75, night * day + 88, night * day + 96)
    expect(indicesOf(inspect(values), 'implausible')).toEqual([])
    values[50 * day + 90] = 275
    expect(indicesOf(inspect(values), 'implausible')).toEqual([50 * day + 90])
  })

  test('do not take spikes for a habit, although there are many', () => {
    const values = load(14, 366)
    const spikes = range(100, values.length).filter((i) => i % 61 === 0)
    for (const i of spikes) values[i] = (values[i] as number) * 50
    expect(indicesOf(inspect(values), 'implausible')).toEqual(spikes)
  })

  test('let a fifth of bad readings not decide what is normal', () => {
    const values = load(7)
    for (let i = 0; i < values.length; i += day * 5) values.fill(0, i, i + day)
    values[1_100] = 500
    const mask = inspect(values)
    expect(indicesOf(mask, 'frozen')).toHaveLength(24 * day)
    expect(indicesOf(mask, 'implausible')).toEqual([1_100])
  })

  test('leave several bits where several checks found something', () => {
    const values = load(8)
    values.fill(-50, 2_000, 2_000 + day)
    const mask = inspect(values, { ratedPower: 30 })
    expect(mask[2_050]).toBe(bits.negative | bits.frozen | bits.implausible | bits.overRated)
    const { flagged, sound } = tallyOf(mask)
    expect(flagged).toEqual({ negative: day, frozen: day, implausible: day, 'over-rated': day })
    expect(sound).toBe(values.length - day)
    keepOut(values, mask)
    expect([...values.keys()].filter((i) => Number.isNaN(values[i]))).toEqual(range(2_000, 2_000 + day))
  })
})

describe('a feed in local time', () => {
  const spring = indexOf(Date.UTC(2024, 2, 31, 1))
  const autumn = indexOf(Date.UTC(2024, 9, 27, 1))
  const folds = (values: Float32Array, zone = berlin) =>
    indicesOf(inspect(values, { zone }), 'daylight-saving')
  const year = () => load(9, 366)

  test.each([
    ['standard', 0],
    ['local', 4],
  ])('that stamps in %s time misses an hour in spring, and its autumn hour is one of two', (_name, shift) => {
    const values = year()
    values.fill(missing, spring + shift, spring + shift + 4)
    expect(folds(values)).toEqual([
      ...range(spring + shift, spring + shift + 4),
      ...range(autumn + shift, autumn + shift + 4),
    ])
    expect(folds(values, utc)).toEqual([])
  })

  test('shows as an hour that is the sum of two, or a copy, or zero', () => {
    const sum = year()
    for (const i of range(autumn, autumn + 4)) sum[i] = (sum[i] as number) * 2
    expect(folds(sum)).toEqual(range(autumn, autumn + 4))
    const copy = year()
    copy.copyWithin(autumn, autumn - 4, autumn)
    expect(folds(copy)).toEqual(range(autumn, autumn + 4))
    const zero = year()
    zero.fill(0, spring, spring + 4)
    expect(folds(zero)).toEqual(range(spring, spring + 4))
  })

  test('is not seen in a meter that often misses an hour, or that misses another one', () => {
    const often = year()
    for (let i = spring - 5 * day; i < spring + 5 * day; i += 24) often.fill(missing, i, i + 4)
    expect(folds(often)).toEqual([])
    const other = year()
    other.fill(missing, spring + 8, spring + 12)
    expect(folds(other)).toEqual([])
  })
})

describe('a register that counts up', () => {
  const register = '1-0:1.8.0'
  const counted = (from: number, growths: Float32Array) => {
    let sum = from
    return growths.map((growth) => (sum += growth))
  }

  test('is judged by its growth, and may stand still where zero is allowed', () => {
    const growths = load(10)
    growths.fill(0, 4_000, 4_000 + day)
    expect(
      tallyOf(inspect(counted(5, growths), { register, allowZero: true, ratedPower: 30 })).flagged,
    ).toEqual({})
    expect(indicesOf(inspect(counted(5, growths), { register }), 'frozen')).toEqual(range(4_000, 4_000 + day))
    growths[6_000] = 3_000
    const { flagged } = tallyOf(inspect(counted(5, growths), { register, allowZero: true, ratedPower: 30 }))
    expect(flagged).toEqual({ implausible: 1, 'over-rated': 1 })
  })

  test('runs over its last digit, which is no reset', () => {
    const values = counted(90_000, load(11)).map((value) => value % 100_000)
    const over = values.findIndex((value, i) => value < (values[i - 1] as number))
    expect(tallyOf(inspect(values, { register })).flagged).toEqual({ 'roll-over': 1 })
    expect(indicesOf(inspect(values, { register }), 'roll-over')).toEqual([over])
  })

  test('is reset, or exchanged, also when it happened to be in its last tenth', () => {
    for (const from of [30_000, 95_000 - 5_000]) {
      const growths = load(12)
      const values = counted(from, growths)
      values.set(counted(3_000, growths.subarray(2_000)), 2_000)
      expect(tallyOf(inspect(values, { register })).flagged).toEqual({ 'counter-reset': 1 })
      expect(indicesOf(inspect(values, { register }), 'counter-reset')).toEqual([2_000])
    }
  })

  test('with a gap shows it as a gap and nothing else', () => {
    const values = counted(5, load(13))
    values.fill(missing, 100, 110)
    expect(tallyOf(inspect(values, { register })).flagged).toEqual({ gap: 10 })
  })
})

describe('the record of a snapshot’s quality', () => {
  test('sums up all series and names the worst, few enough to be kept for ever', () => {
    const series = range(0, 50).map((i) => ({
      meter: `m-${i}`,
      register: 'load',
      expected: 100,
      trainable: 100 - i,
      notTrainable: 0,
      flagged: i === 0 ? {} : { frozen: i },
      leftOut: i > 40,
    }))
    const record = toQualityRecord(series)
    expect(record).toMatchObject({
      expected: 5_000,
      trainable: 3_775,
      flagged: { frozen: 1_225 },
      seriesFlagged: 49,
    })
    expect(record.series).toHaveLength(20)
    expect(record.series[0]).toMatchObject({ meter: 'm-49', leftOut: true })
  })
})
