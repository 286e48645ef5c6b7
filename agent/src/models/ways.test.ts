import { describe, expect, test } from 'vitest'
import { accept, refuse } from '@imlma/protocol/result'
import type { PartialFile } from './store.ts'
import type { Transfer, TransferRefusal } from './transfer.ts'
import { alongWays, withRateFloor } from './ways.ts'

type Way = Pick<Transfer, 'fetch'>

const wanted = { sha256: 'a'.repeat(64), bytes: 10 }
const createFile = () => {
  let content = 0
  const file: PartialFile = {
    bytes: () => content,
    append: async (chunk) => void (content += chunk.byteLength),
    empty: async () => void (content = 0),
    close: async () => undefined,
  }
  return file
}
const never = new AbortController().signal

describe('along its ways', () => {
  const way = (code?: TransferRefusal, appends = 0): Way & { from: number[] } => {
    const from: number[] = []
    return {
      from,
      fetch: async (_wanted, file) => {
        from.push(file.bytes())
        await file.append(new Uint8Array(appends))
        return code === undefined ? accept(undefined) : refuse(code, 'no')
      },
    }
  }

  test('an artifact takes the next one where the one before it failed, and goes on from there', async () => {
    const [first, second] = [way('FETCH_FAILED', 4), way(undefined, 6)]
    expect(await alongWays([first, second]).fetch(wanted, createFile(), never)).toMatchObject({ ok: true })
    expect([first.from, second.from]).toEqual([[0], [4]])
  })

  test.each([undefined, 'NO_SPACE', 'BAD_DIGEST', 'TOO_LARGE'] as const)(
    'after %s no other is tried',
    async (code) => {
      const second = way()
      await alongWays([way(code), second]).fetch(wanted, createFile(), never)
      expect(second.from).toEqual([])
    },
  )

  test('a stop stops it', async () => {
    const second = way()
    await alongWays([way('FETCH_FAILED'), second]).fetch(wanted, createFile(), AbortSignal.abort())
    expect(second.from).toEqual([])
  })
})

describe('with a floor under its rate', () => {
  /** A way that brings so many bytes in each window; time passes when the test says so. */
  const create = (perWindow: readonly number[], bytesPerSecondMin = 2) => {
    const windows = [...perWindow]
    const pending: (() => void)[] = []
    const ended = (signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        if (signal.aborted) return resolve()
        signal.addEventListener('abort', () => resolve())
      })
    const wait = (_ms: number, signal: AbortSignal) =>
      Promise.race([ended(signal), new Promise<void>((resolve) => pending.push(resolve))])
    const slow: Way = {
      fetch: async (_wanted, file, signal) => {
        for (const bytes of windows) {
          if (signal.aborted) return refuse('FETCH_FAILED', 'stopped')
          await file.append(new Uint8Array(bytes))
          pending.shift()?.()
          await new Promise(setImmediate)
        }
        return signal.aborted ? refuse('FETCH_FAILED', 'stopped') : accept(undefined)
      },
    }
    return withRateFloor(slow, { wait }, { bytesPerSecondMin, windowMs: 1_000 })
  }

  test('a way that brings enough in every window goes on to its end', async () => {
    expect(await create([2, 2, 9, 2]).fetch(wanted, createFile(), never)).toMatchObject({ ok: true })
  })

  test('a way is given up in the first window in which it brings too little, and what it brought stays', async () => {
    const file = createFile()
    const outcome = await create([9, 1, 9, 9]).fetch(wanted, file, never)
    expect(outcome).toMatchObject({
      refusal: { code: 'FETCH_FAILED', message: expect.stringContaining('given up') },
    })
    expect(file.bytes()).toBe(10)
  })

  test('without a floor nothing is given up', async () => {
    expect(await create([0, 0], 0).fetch(wanted, createFile(), never)).toMatchObject({ ok: true })
  })
})
