import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freezeSnapshot, openSnapshot } from './snapshot.fs.ts'
import { decodeSnapshot, encodeSnapshot, type SnapshotContent } from './snapshot.ts'
import { planWindow, splitTraining } from './split.ts'

const content: SnapshotContent = {
  v: 1,
  model: 'load',
  site: 'north',
  series: [
    {
      meter: 'm-1',
      register: '1-0:1.8.0',
      intervalMs: 1_000,
      start: 5_000,
      values: Float32Array.of(1, Number.NaN, 3.5),
    },
  ],
  covariates: [
    { meter: 'weather', register: 'temperature', intervalMs: 2_000, start: 0, values: Float32Array.of(-4) },
  ],
  window: { start: 5_000, end: 8_000 },
  trainEnd: 6_000,
  evaluation: { start: 7_000, end: 8_000 },
  provenance: [{ agent: 'gw-1', firstSeq: 3, lastSeq: 9 }],
}

describe('a snapshot', () => {
  test('comes back as it was frozen', () => {
    expect(decodeSnapshot(encodeSnapshot(content))).toEqual({ ok: true, value: content })
  })

  test('has the same bytes for the same content, whatever the order of keys or the kind of NaN', () => {
    const odd = new Float32Array(new Uint32Array([0x3f800000, 0xffc12345, 0x40600000]).buffer)
    const shuffled = {
      ...content,
      evaluation: { end: 8_000, start: 7_000 },
      series: content.series.map((one) => ({ ...one, values: odd })),
    }
    expect(
      encodeSnapshot(Object.fromEntries(Object.entries(shuffled).toReversed()) as unknown as SnapshotContent),
    ).toEqual(encodeSnapshot(content))
  })

  test('cut anywhere or with a tail is malformed', () => {
    const bytes = encodeSnapshot(content)
    for (let length = 0; length < bytes.length; length++)
      expect(decodeSnapshot(bytes.subarray(0, length)).ok).toBe(false)
    expect(decodeSnapshot(Uint8Array.of(...bytes, 0)).ok).toBe(false)
  })

  test('never judges with what it trained on', () => {
    expect(() => encodeSnapshot({ ...content, trainEnd: 7_500 })).toThrow('later than the training window')
  })
})

describe('a frozen snapshot', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-snapshot-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('opens under its hash, and leaves nothing half-written behind', async () => {
    const frozen = await freezeSnapshot({ folder }, content)
    expect(await freezeSnapshot({ folder }, content)).toEqual(frozen)
    expect(await readdir(folder)).toEqual([frozen.sha256])
    expect(await openSnapshot(frozen.path, frozen.sha256)).toEqual(content)
  })

  test('with any byte changed is refused before it is used', async () => {
    const { path, sha256, bytes } = await freezeSnapshot({ folder }, content)
    const original = await readFile(path)
    for (const at of [0, 30, bytes - 1]) {
      const changed = Buffer.from(original)
      changed[at] = (changed[at] ?? 0) ^ 1
      await writeFile(path, changed)
      await expect(openSnapshot(path, sha256)).rejects.toMatchObject({
        code: 'DATASET_CHANGED',
        retryable: false,
      })
    }
    await rm(path)
    await expect(openSnapshot(path, sha256)).rejects.toMatchObject({ code: 'DATASET_MISSING' })
  })
})

describe('the split of a window', () => {
  const task = { intervalMs: 10, horizon: 5 }

  test('keeps a gap of the horizon between the parts', () => {
    const plan = planWindow({ start: 0, end: 2_000 }, { ...task, evaluationSteps: 40 })
    expect(plan).toEqual({
      ok: true,
      value: { window: { start: 0, end: 2_000 }, trainEnd: 1_550, evaluation: { start: 1_600, end: 2_000 } },
    })
    expect(splitTraining({ start: 0, trainEnd: 1_550 }, task)).toEqual({
      train: { start: 0, end: 1_190 },
      validation: { start: 1_240, end: 1_550 },
    })
  })

  test('refuses a window that is too short', () => {
    expect(planWindow({ start: 0, end: 640 }, { ...task, evaluationSteps: 40 })).toMatchObject({
      refusal: { code: 'TOO_SHORT' },
    })
    expect(planWindow({ start: 0, end: 9_000 }, { ...task, evaluationSteps: 4 })).toMatchObject({
      refusal: { code: 'TOO_SHORT' },
    })
  })
})
