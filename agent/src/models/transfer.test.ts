import { describe, expect, test } from 'vitest'
import { crc32, sha256 } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { encodeCbor, type Chunk, type Fetch } from '@imlma/protocol/wire'
import type { ControlMessage } from '../link/link.ts'
import type { PartialFile } from './store.ts'
import { createTransfer } from './transfer.ts'

const artifact = Uint8Array.from({ length: 1_000 }, (_, index) => index % 251)
const digest = sha256(artifact)
const wanted = { sha256: digest, bytes: artifact.byteLength }

type Answer = (fetch: Fetch, nth: number) => Partial<Chunk> | undefined
interface Setting {
  /** Changes the honest answer to a request, or swallows it. */
  readonly answer?: Answer
  readonly publish?: (nth: number) => void
  readonly already?: number
}

/** The control centre answers in the next turn of the loop; a wait that no answer ends is over in the turn after it. */
const create = ({ answer = () => ({}), publish, already = 0 }: Setting = {}) => {
  const listeners = new Set<(message: ControlMessage) => void>()
  const fetches: Fetch[] = []
  let inFlight = 0
  let inFlightMax = 0
  const transfer = createTransfer(
    {
      link: {
        publish: async (_channel, payload) => {
          publish?.(fetches.length)
          const fetch = JSON.parse(new TextDecoder().decode(payload)) as Fetch
          const nth = fetches.push(fetch) - 1
          inFlight += 1
          inFlightMax = Math.max(inFlightMax, inFlight)
          setImmediate(() => {
            inFlight -= 1
            const changes = answer(fetch, nth)
            if (changes === undefined) return
            const bytes = artifact.slice(fetch.offset, fetch.offset + fetch.length)
            const honest = { sha256: digest, offset: fetch.offset, total: 1_000, bytes, crc32: crc32(bytes) }
            const message = {
              id: fetch.requestId,
              payload: encodeCbor({ ...honest, ...changes }),
              retained: false,
            }
            for (const listener of listeners) listener(message)
          })
        },
        on: (_channel, listener) => {
          listeners.add(listener)
          return () => listeners.delete(listener)
        },
      },
      crc32,
      requestId: () => `r${fetches.length}-${inFlight}`,
      wait: (ms, signal) =>
        new Promise((resolve) => {
          if (signal.aborted || ms < 1_000) return resolve()
          setImmediate(() => setImmediate(resolve))
          signal.addEventListener('abort', () => resolve())
        }),
      random: () => 0.5,
    },
    { chunkBytes: 100, window: 4, triesMax: 3 },
  )
  let content: number[] = [...artifact.subarray(0, already)]
  const file: PartialFile = {
    bytes: () => content.length,
    append: async (chunk) => void content.push(...chunk),
    empty: async () => void (content = []),
    close: async () => undefined,
  }
  const run = (signal = new AbortController().signal) => transfer.fetch(wanted, file, signal)
  return { run, file, fetches, content: () => Uint8Array.from(content), inFlightMax: () => inFlightMax }
}

describe('transfer', () => {
  test('brings an artifact in pieces, a few in flight, and puts them together in order', async () => {
    const { run, content, fetches, inFlightMax } = create()
    expect(await run()).toMatchObject({ ok: true })
    expect(content()).toEqual(artifact)
    expect(fetches).toHaveLength(10)
    expect(inFlightMax()).toBe(4)
  })

  test('goes on where it stopped', async () => {
    const { run, content, fetches } = create({ already: 950 })
    await run()
    expect(fetches).toMatchObject([{ offset: 950, length: 50 }])
    expect(content()).toEqual(artifact)
  })

  test('asks again for a piece that was damaged, lost, or about something else', async () => {
    const bad: readonly (Partial<Chunk> | undefined)[] = [
      { crc32: 0 },
      undefined,
      { offset: 500 },
      { bytes: artifact.slice(0, 99) },
      { sha256: '0'.repeat(64) },
      { crc32: -1 },
    ]
    for (const changes of bad) {
      const { run, content } = create({ answer: (_fetch, nth) => (nth === 2 ? changes : {}) })
      expect(await run()).toMatchObject({ ok: true })
      expect(content()).toEqual(artifact)
    }
  })

  test.each([
    ['nobody answers', undefined, 'FETCH_FAILED'],
    ['the control centre does not have it', { total: 0 }, 'FETCH_FAILED'],
    ['more is offered than was signed', { total: 1_001 }, 'TOO_LARGE'],
    ['less is offered than was signed', { total: 999 }, 'BAD_DIGEST'],
    ['every piece is damaged', { crc32: 7 }, 'FETCH_FAILED'],
  ] as const)('gives up when %s', async (_, changes, code) => {
    const { run, fetches } = create({ answer: () => changes })
    expect(await run()).toMatchObject({ ok: false, refusal: { code } })
    expect(fetches.length).toBeLessThanOrEqual(4 * 3)
  })

  test('a link that is down for a moment costs a try, not the transfer', async () => {
    const down = (nth: number): void => {
      if (nth === 3) failures += 1
      if (nth === 3 && failures < 2) throw new Failure('LINK_DOWN', 'down', { retryable: true })
    }
    let failures = 0
    const { run, content } = create({ publish: down })
    expect(await run()).toMatchObject({ ok: true })
    expect(content()).toEqual(artifact)
  })

  test('stops when it is told to', async () => {
    const stop = new AbortController()
    const { run, fetches } = create({
      answer: (_fetch, nth) => {
        if (nth === 2) stop.abort()
        return nth < 2 ? {} : undefined
      },
    })
    expect(await run(stop.signal)).toMatchObject({ ok: false, refusal: { code: 'FETCH_FAILED' } })
    expect(fetches.length).toBeLessThan(8)
  })

  test('a disk that is full ends it with its reason', async () => {
    const { run, file } = create()
    const full = { ...file, append: () => Promise.reject(new Failure('NO_SPACE', 'full')) }
    Object.assign(file, full)
    expect(await run()).toMatchObject({ ok: false, refusal: { code: 'NO_SPACE' } })
  })

  test('a partial file that is longer than the artifact starts again', async () => {
    const { run, file, content } = create({ already: 1_000 })
    await file.append(Uint8Array.of(1))
    await run()
    expect(content()).toEqual(artifact)
  })
})
