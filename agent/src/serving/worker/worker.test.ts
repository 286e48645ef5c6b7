import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { LoadedModel } from '../serving.ts'
import { loadModel } from '../session.onnx.ts'
import { encodeBadModel } from '../testing/bad-model.ts'
import { tinyContract } from '../testing/tiny-contract.ts'
import { encodeTinyModel, layersOf, type Dense } from '../testing/tiny-model.ts'
import type { LostWorker } from './lost.ts'
import { createWorkers, type WorkersOptions } from './workers.process.ts'

const contract = tinyContract({ features: 4, horizon: 2 })
const layer = layersOf([4, 2])[0] as Dense
const good = Float32Array.of(1, 2, 3, 4)
/** As many rounds as this before the answer. */
const poison = Float32Array.of(1e15, 0, 0, 0)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-worker-'))
})
afterAll(() => rm(folder, { recursive: true }))

const open: LoadedModel[] = []
afterEach(async () => {
  for (const model of open.splice(0)) await model.close()
})

const create = (options: WorkersOptions = {}) => {
  const workers = createWorkers({ runMsMin: 400, memoryBytesMax: 128 * 1_048_576, ...options })
  const lost: LostWorker[] = []
  workers.onLost((each) => lost.push(each))
  const load = async (bytes: Uint8Array, signed = contract) => {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const path = join(folder, `${sha256}.onnx`)
    await writeFile(path, bytes)
    const model = await workers.load(path, { model: 'load', version: 1, sha256 }, signed, undefined)
    open.push(model)
    return { model, path }
  }
  const pid = (): number | undefined => workers.list()[0]?.pid
  const replaced = (before: number | undefined) =>
    vi.waitUntil(() => pid() !== undefined && pid() !== before, { timeout: 5_000, interval: 10 })
  return { workers, lost, load, pid, replaced }
}

/** Resolves when the worker is computing: it uses its processor. */
const isAtWork = (running: Promise<unknown>) => Promise.race([running, new Promise(setImmediate)])

describe('a model in a worker', () => {
  test('answers to the bit what it answers in process, many rows and quantiles too', async () => {
    const { load } = create()
    const quantiles = [0.1, 0.5, 0.9]
    const signed = tinyContract({ features: 4, horizon: 2, quantiles })
    const bytes = encodeTinyModel({ layers: [layer], quantileOffsets: [-1, 0, 1] })
    const { model, path } = await load(bytes, signed)
    const inProcess = await loadModel(path, model, signed)
    const rows = 20_000
    const features = Float32Array.from({ length: rows * 4 }, (_, i) => Math.sin(i))
    const answer = async (by: LoadedModel) => {
      const ranges = new Float32Array(rows * 6)
      return [await by.run(features, rows, undefined, ranges), ranges]
    }
    expect(await answer(model)).toEqual(await answer(inProcess))
    await inProcess.close()
  })

  test('answers those who ask at once one after the other', async () => {
    const { load } = create()
    const { model } = await load(encodeTinyModel({ layers: [layer] }))
    const asked = Array.from({ length: 20 }, (_, i) => model.run(Float32Array.of(i, 0, 0, 0), 1))
    const answers = (await Promise.all(asked)).map(([first]) => first as number)
    const [bias] = layer.bias
    const [weight] = layer.weights
    answers.forEach((value, i) => expect(value).toBeCloseTo((bias as number) + i * (weight as number), 4))
  })

  test('what is no model, or another than was signed, is refused', async () => {
    const { load, workers, lost } = create()
    await expect(load(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'LOAD_FAILED' })
    const other = encodeTinyModel({ layers: layersOf([5, 2]) })
    await expect(load(other)).rejects.toMatchObject({ code: 'CONTRACT_MISMATCH' })
    expect(workers.list()).toEqual([])
    expect(lost).toEqual([])
  })

  test('that hangs costs its worker only: the run is refused in time, and a new worker answers', async () => {
    const { load, lost, pid, replaced, workers } = create()
    const { model } = await load(encodeBadModel('hang', layer))
    const before = pid()
    const hanging = model.run(poison, 1)
    const behind = model.run(good, 1)
    await expect(hanging).rejects.toMatchObject({ code: 'RUN_FAILED', retryable: true })
    await expect(behind).rejects.toMatchObject({ code: 'RUN_FAILED' })
    expect(lost).toMatchObject([{ cause: 'hung', atWork: true, version: 1 }])
    // Nobody waits for the replacement.
    await expect(model.run(good, 1)).rejects.toMatchObject({ code: 'RUN_FAILED' })
    await replaced(before)
    expect(await model.run(good, 1)).toHaveLength(2)
    expect(() => process.kill(before as number, 0)).toThrow('ESRCH')
    expect(workers.losses()).toEqual({ hung: 1, memory: 0, crashed: 0 })
    expect(workers.restarts().get(model.sha256)).toBe(1)
  })

  test('that takes memory without end gets no more than its worker may have', async () => {
    const { load, lost, pid, replaced } = create({ runMsMin: 10_000 })
    const { model } = await load(encodeBadModel('memory', layer))
    const before = pid()
    await expect(model.run(Float32Array.of(60, 0, 0, 0), 1)).rejects.toMatchObject({ code: 'RUN_FAILED' })
    expect(lost).toMatchObject([{ cause: 'memory', atWork: true }])
    await replaced(before)
    expect(await model.run(good, 1)).toHaveLength(2)
  })

  test('whose worker is killed in the middle of a run is answered by the next one', async () => {
    const { load, lost, pid, replaced } = create({ runMsMin: 10_000 })
    const { model } = await load(encodeBadModel('hang', layer))
    const before = pid()
    const running = model.run(poison, 1)
    await isAtWork(running)
    process.kill(before as number, 'SIGSEGV')
    await expect(running).rejects.toMatchObject({ code: 'RUN_FAILED' })
    expect(lost).toMatchObject([{ cause: 'crashed', atWork: true, detail: 'signal SIGSEGV' }])
    await replaced(before)
    expect(await model.run(good, 1)).toHaveLength(2)
  })

  test('is not blamed for a worker that was killed while it waited', async () => {
    const { load, lost, pid, replaced } = create()
    await load(encodeTinyModel({ layers: [layer] }))
    const before = pid()
    process.kill(before as number, 'SIGKILL')
    await replaced(before)
    expect(lost).toMatchObject([{ atWork: false }])
  })

  test('whose file was changed since it was verified is not loaded again', async () => {
    const { load, lost, pid } = create()
    const { model, path } = await load(encodeTinyModel({ layers: [layer] }))
    await writeFile(path, encodeTinyModel({ layers: layersOf([4, 2], 9) }))
    process.kill(pid() as number, 'SIGKILL')
    await vi.waitUntil(() => lost.length >= 2, { timeout: 5_000 })
    expect(lost[1]?.detail).toContain('not what was signed')
    expect(pid()).toBeUndefined()
    await expect(model.run(good, 1)).rejects.toMatchObject({ code: 'RUN_FAILED' })
  })

  test('leaves no process behind when it is closed', async () => {
    const { load, pid, workers } = create()
    const { model } = await load(encodeTinyModel({ layers: [layer] }))
    const worker = pid() as number
    await model.close()
    expect(() => process.kill(worker, 0)).toThrow('ESRCH')
    expect(workers.list()).toEqual([])
  })
})
