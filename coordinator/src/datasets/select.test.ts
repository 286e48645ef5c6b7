import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ReadingSeries } from '@imlma/protocol/wire'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createReadingsStore } from '../storage/readings.sqlite.ts'
import type { ReadingsStore } from '../storage/readings.ts'
import { freezeDataset } from './freeze.fs.ts'
import { selectReadings, type Selection } from './select.ts'
import { openSnapshot } from './snapshot.fs.ts'

const hour = 3_600_000
const missing = Number.NaN

const selection: Selection = {
  model: 'load',
  site: 'demo',
  register: 'load',
  intervalMs: hour,
  horizon: 2,
  covariates: [],
  windowMsMax: 1_000 * hour,
  evaluationMs: 10 * hour,
  readingsMin: 20,
  completenessMin: 0.6,
}

describe('selecting readings', () => {
  let store: ReadingsStore
  let seq = 0
  beforeEach(() => {
    seq = 0
    store = createReadingsStore(':memory:')
  })
  afterEach(() => store.close())

  const add = (
    meter: string,
    start: number,
    values: readonly number[],
    more: Partial<ReadingSeries> = {},
  ) => {
    seq += 1
    const series = [
      {
        meter,
        register: 'load',
        interval: hour,
        start: start * hour,
        values: Float32Array.from(values),
        ...more,
      },
    ]
    const batch = { v: 1 as const, seq, sentAt: 0, historical: false, series }
    store.accept([{ site: 'demo', agent: 'gw-1', receivedAt: 0, bytes: Uint8Array.of(seq), batch }])
    store.fold(10)
  }
  const count = (length: number, from = 0) => Array.from({ length }, (_, i) => from + i)
  const select = (more: Partial<Selection> = {}) => {
    const selected = selectReadings(store, { ...selection, ...more })
    if (!selected.ok) throw new Error(selected.refusal.message)
    return selected.value
  }
  const codeOf = (more: Partial<Selection> = {}) => {
    const selected = selectReadings(store, { ...selection, ...more })
    return selected.ok ? 'selected' : selected.refusal.code
  }

  test('takes every series of the register and sets the evaluation apart', () => {
    add('m-1', 100, count(50))
    add('m-2', 100, count(50, 1_000))
    add('m-3', 100, count(50), { register: 'voltage' })
    const { content, readings } = select()
    expect(content).toMatchObject({
      window: { start: 100 * hour, end: 150 * hour },
      evaluation: { start: 140 * hour, end: 150 * hour },
      trainEnd: 138 * hour,
      provenance: [{ agent: 'gw-1', firstSeq: 1, lastSeq: 3 }],
    })
    expect(content.series.map(({ meter, values }) => [meter, values.length, values[49]])).toEqual([
      ['m-1', 50, 49],
      ['m-2', 50, 1_049],
    ])
    expect(readings).toBe(100)
  })

  test('values that are not fit for training are missing, and counted', () => {
    const quality = new Uint8Array(50).fill(0)
    quality.set([1, 2, 3, 4], 10)
    add('m-1', 0, count(50), { quality })
    const { content, readings, quality: said } = select()
    expect([...content.series[0]!.values.subarray(9, 15)]).toEqual([9, 10, 11, missing, missing, 14])
    expect(readings).toBe(48)
    expect(said).toEqual([
      {
        meter: 'm-1',
        register: 'load',
        expected: 50,
        trainable: 48,
        notTrainable: 2,
        flagged: {},
        leftOut: false,
      },
    ])
  })

  test('values that a quality check finds something against are missing, and counted by check', () => {
    const values = count(100)
    values.fill(40, 40, 70)
    values[80] = missing
    add('m-1', 0, values)
    add('m-2', 0, count(100))
    const { content, readings, quality: said } = select()
    expect([...content.series[0]!.values.subarray(38, 42)]).toEqual([38, 39, missing, missing])
    expect(content.series[0]!.values[70]).toBe(70)
    expect(said.map(({ flagged, trainable }) => [flagged, trainable])).toEqual([
      [{ gap: 1, frozen: 30 }, 69],
      [{}, 100],
    ])
    expect(readings).toBe(169)
  })

  test('too much that is flagged refuses, and says at which meter and why', () => {
    add('m-1', 0, [...count(40), ...count(60).fill(7)])
    const refused = selectReadings(store, { ...selection, readingsMin: 1 })
    expect(refused).toMatchObject({
      refusal: { code: 'TOO_FEW_READINGS', message: expect.stringContaining('60 frozen') },
    })
    add('m-2', 0, count(100))
    expect(selectReadings(store, { ...selection, completenessMin: 0.8 })).toMatchObject({
      refusal: { code: 'INCOMPLETE', message: expect.stringContaining('m-1 40 of 100 (60 frozen)') },
    })
    // What an operator allows is not found: here a load that may stand still for a week.
    const quality = { allowZero: false, frozenHours: 168 }
    expect(codeOf({ completenessMin: 0.8, quality })).toBe('selected')
  })

  test('a covariate may be a flag that stays for days', () => {
    add('m-1', 0, count(100))
    add('calendar', 0, [...count(60).fill(0), ...count(40).fill(1)], { register: 'holiday' })
    expect(select({ covariates: ['holiday'] }).content.covariates[0]!.values).toHaveLength(100)
    expect(select({ covariates: ['holiday'] }).quality.at(-1)).toMatchObject({ trainable: 100, flagged: {} })
  })

  test('the window trails, and is bounded in time and in values', () => {
    add('m-1', 0, count(200))
    add('m-2', 0, count(200))
    expect(select({ windowMsMax: 60 * hour }).content.window).toEqual({ start: 140 * hour, end: 200 * hour })
    expect(select({ valuesMax: 100 }).content.window).toEqual({ start: 150 * hour, end: 200 * hour })
  })

  test('one meter that is late or ahead does not move the end for all', () => {
    add('m-1', 0, count(100))
    add('m-2', 0, count(100))
    add('late', 0, count(70))
    add('ahead', 0, count(100))
    add('ahead', 5_000, [1])
    const { content } = select()
    expect(content.window.end).toBe(100 * hour)
    expect(content.series).toHaveLength(4)
    expect(content.series.every(({ start, values }) => start + values.length * hour <= 100 * hour)).toBe(true)
  })

  test('a meter that came later is measured from its first reading on', () => {
    add('m-1', 0, count(100))
    add('new', 90, count(10))
    expect(select().content.series.map(({ meter, start }) => [meter, start / hour])).toEqual([
      ['m-1', 0],
      ['new', 90],
    ])
  })

  test('a dead meter is left out and named, too many of them refuse the whole', () => {
    for (const meter of ['m-1', 'm-2', 'm-3']) add(meter, 0, count(100))
    add('dead', 0, [1])
    const { content, quality } = select()
    expect(content.series.map(({ meter }) => meter)).toEqual(['m-1', 'm-2', 'm-3'])
    expect(quality.find(({ meter }) => meter === 'dead')).toMatchObject({
      expected: 100,
      trainable: 1,
      leftOut: true,
    })
    expect(codeOf({ completenessMin: 0.8 })).toBe('INCOMPLETE')
    const refused = selectReadings(store, { ...selection, completenessMin: 0.8 })
    expect(refused).toMatchObject({ refusal: { message: expect.stringContaining('dead 1 of 100') } })
  })

  test('too few readings, or too short a window, are refused', () => {
    expect(codeOf()).toBe('TOO_FEW_READINGS')
    add('m-1', 0, count(19))
    expect(codeOf()).toBe('TOO_FEW_READINGS')
    expect(codeOf({ readingsMin: 19 })).toBe('TOO_FEW_READINGS')
    expect(codeOf({ readingsMin: 19, evaluationMs: 5 * hour })).toBe('selected')
  })

  test('covariates come along, and must be there', () => {
    add('m-1', 0, count(100))
    expect(codeOf({ covariates: ['temperature'] })).toBe('INCOMPLETE')
    add('station', 50, count(20), { register: 'temperature' })
    expect(codeOf({ covariates: ['temperature'] })).toBe('INCOMPLETE')
    add('station', 0, count(100), { register: 'temperature' })
    const { content, readings } = select({ covariates: ['temperature'] })
    expect(content.covariates.map(({ meter, register }) => [meter, register])).toEqual([
      ['station', 'temperature'],
    ])
    expect([content.series.length, readings]).toEqual([1, 100])
  })

  test('what is frozen is what was selected', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'imlma-datasets-'))
    add('m-1', 0, count(50))
    const frozen = await freezeDataset({ readings: store, folder }, selection)
    if (!frozen.ok) throw new Error(frozen.refusal.message)
    const { path, sha256 } = frozen.value.snapshot
    expect(await openSnapshot(path, sha256)).toEqual(select().content)
    expect((await freezeDataset({ readings: store, folder }, { ...selection, readingsMin: 51 })).ok).toBe(
      false,
    )
    rmSync(folder, { recursive: true })
  })
})
