import { describe, expect, test } from 'vitest'
import type { RegistryEvent } from '../registry/events.ts'
import { createTestApp, fixtureNow } from './testing/call.http.ts'
import { createControlFixture } from './testing/control-fixture.ts'

interface Message {
  readonly event: string
  readonly id?: string
  readonly data: unknown
}

/** Reads one stream, message by message; comments and `retry` are left out. */
const readStream = (response: Response) => {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  const comments: string[] = []
  let text = ''
  const next = async (): Promise<Message | undefined> => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end >= 0) {
        const lines = text.slice(0, end).split('\n')
        text = text.slice(end + 2)
        comments.push(...lines.filter((line) => line.startsWith(':')))
        const field = (name: string) =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
        const event = field('event')
        if (event === undefined) continue
        const id = field('id')
        return { event, ...(id === undefined ? {} : { id }), data: JSON.parse(field('data') ?? 'null') }
      }
      const { done, value } = await reader.read()
      if (done) return undefined
      text += value
    }
  }
  return { next, comments, close: () => reader.cancel() }
}

const rootAccepted = (version: number): RegistryEvent => ({
  kind: 'root-accepted',
  version,
  envelopeSha256: '0'.repeat(64),
})

const open = async (
  app: ReturnType<typeof createTestApp>,
  query = '',
  headers: Record<string, string> = {},
) => {
  const response = await app.get(`/api/v1/events${query}`, headers)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  return readStream(response)
}

describe('the stream of events', () => {
  test('tells what happens from now on, named and numbered', async () => {
    const app = createTestApp()
    const head = (await app.control.health()).seq
    const stream = await open(app)
    const pending = stream.next()
    // The watcher counts as connected once it listens; what happens before is not its business.
    await expect.poll(() => app.control.watchers()).toBe(1)
    app.control.tell(rootAccepted(3), fixtureNow)
    expect(await pending).toMatchObject({
      event: 'audit',
      id: String(head + 1),
      data: { kind: 'root-accepted', sentence: expect.stringContaining('Trust root version 3') },
    })
    await stream.close()
    await expect.poll(() => app.control.watchers()).toBe(0)
  })

  test('resumes after the last event that the watcher has seen, without gap or repetition', async () => {
    const app = createTestApp()
    const head = (await app.control.health()).seq
    const stream = await open(app, '', { 'last-event-id': String(head - 2) })
    const before = [await stream.next(), await stream.next()]
    app.control.tell(rootAccepted(3), fixtureNow)
    const after = await stream.next()
    expect([...before, after].map((message) => message?.id)).toEqual([head - 1, head, head + 1].map(String))
    await stream.close()
  })

  test('an event that comes while the past is read is told once', async () => {
    const control = createControlFixture({ now: fixtureNow })
    const head = (await control.health()).seq
    const app = createTestApp(
      {},
      {},
      {
        ...control,
        events: async (range) => {
          if (control.watchers() === 1) control.tell(rootAccepted(3), fixtureNow)
          return control.events(range)
        },
      },
    )
    const stream = await open(app, `?after=${head}`)
    const first = await stream.next()
    control.tell(rootAccepted(4), fixtureNow)
    expect([first?.id, (await stream.next())?.id]).toEqual([String(head + 1), String(head + 2)])
    await stream.close()
  })

  test('the first connection can say what the page has loaded', async () => {
    const app = createTestApp()
    const head = (await app.control.health()).seq
    const stream = await open(app, `?after=${head - 1}`)
    expect((await stream.next())?.id).toBe(String(head))
    await stream.close()
  })

  test.each([
    ['was away for too long', 1],
    ['comes from another registry', 9_999],
  ])('a watcher that %s is told to load everything again', async (_, after) => {
    const app = createTestApp({ events: { replayMax: 5 } })
    const head = (await app.control.health()).seq
    const stream = await open(app, `?after=${after}`)
    expect(await stream.next()).toEqual({ event: 'reset', id: String(head), data: { seq: head } })
    await stream.close()
  })

  test('agents, models and forecasts come under their own names', async () => {
    const app = createTestApp()
    const stream = await open(app)
    const first = stream.next()
    await expect.poll(() => app.control.watchers()).toBe(1)
    app.control.advance(500, fixtureNow)
    const names = [await first, ...(await Promise.all([1, 2, 3, 4].map(() => stream.next())))].map(
      (message) => message?.event,
    )
    expect(names.toSorted((a = '', b = '') => a.localeCompare(b))).toEqual([
      'agent',
      'agent',
      'agent',
      'forecasts',
      'model',
    ])
    await stream.close()
  })

  test('silence is filled with comments', async () => {
    const app = createTestApp({ events: { heartbeatMs: 5 } })
    const stream = await open(app)
    const pending = stream.next()
    await expect.poll(() => stream.comments.length).toBeGreaterThan(1)
    await stream.close()
    await pending
  })

  test('a watcher that does not read is let go, and more watchers than planned are refused', async () => {
    const app = createTestApp({ events: { eventsMax: 3, watchersMax: 1 } })
    const stream = await open(app)
    await expect.poll(() => app.control.watchers()).toBe(1)
    expect((await app.get('/api/v1/events')).status).toBe(503)
    for (let version = 3; version < 10; version += 1) app.control.tell(rootAccepted(version), fixtureNow)
    await expect.poll(() => app.control.watchers()).toBe(0)
    while ((await stream.next()) !== undefined);
    expect((await app.get('/api/v1/events')).status).toBe(200)
  })
})
