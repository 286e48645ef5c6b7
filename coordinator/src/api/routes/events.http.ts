/**
 * Server-sent events: what changes, as it changes. `audit` events carry the registry's sequence as their id, so a
 * watcher that was away sends it back (Last-Event-ID, by the browser itself) and misses nothing; one that was away for
 * too long is told to `reset`: to load everything again. The stream ends with the session it was opened by.
 */

import { streamSSE, type SSEStreamingApi } from 'hono/streaming'
import { z } from 'zod'
import type { Change, Control } from '../control.ts'
import { createMailbox, type MailboxOptions } from '../mailbox.ts'
import { problem } from '../problem.http.ts'
import type { People } from '../people/people.ts'
import { createGuardedRoute, type Api } from '../route.http.ts'
import { toAuditEvent } from '../sentences.ts'

export interface EventStreamOptions extends MailboxOptions {
  /** Silence after which a comment is sent, so that proxies and watchers know that the line is alive. */
  readonly heartbeatMs?: number
  /** Events that are sent again after an absence; loading everything is cheaper beyond. */
  readonly replayMax?: number
  /** Watchers at a time: a control room's screens, not a public site. */
  readonly watchersMax?: number
}

const sequence = z
  .string()
  .regex(/^\d{1,15}$/, 'the number of an event')
  .transform(Number)

const eventsRoute = createGuardedRoute('viewer', {
  method: 'get',
  path: '/events',
  operationId: 'watchEvents',
  summary: 'What changes, live',
  description:
    'Server-sent events named audit, agent, model, forecasts and reset. Last-Event-ID or `after` resumes after an audit event.',
  tags: ['history'],
  request: { query: z.object({ after: sequence.optional() }) },
  responses: {
    200: { description: 'The stream', content: { 'text/event-stream': { schema: z.string() } } },
    503: { description: 'Too many watchers' },
  },
})

export const addEventRoutes = (
  api: Api,
  control: Control,
  people: Pick<People, 'onEnd'>,
  options: EventStreamOptions = {},
): void => {
  const { heartbeatMs = 15_000, replayMax = 1_000, watchersMax = 64 } = options
  let watchers = 0

  api.openapi(eventsRoute, (c) => {
    if (watchers >= watchersMax) {
      return problem(c, 503, {
        code: 'TOO_MANY_WATCHERS',
        message: `${watchers} watchers are connected already`,
        hint: 'close a page that is not needed',
      })
    }
    const header = sequence.safeParse(c.req.header('last-event-id'))
    const after = header.success ? header.data : c.req.valid('query').after
    const principal = c.get('principal')
    const onEnd = (listener: () => void) =>
      principal === undefined ? () => undefined : people.onEnd(principal, listener)
    c.header('x-accel-buffering', 'no')
    return streamSSE(c, async (stream) => {
      watchers += 1
      try {
        await watch(stream, control, after, { ...options, heartbeatMs, replayMax, onEnd })
      } finally {
        watchers -= 1
      }
    })
  })
}

interface Terms extends MailboxOptions {
  readonly heartbeatMs: number
  readonly replayMax: number
  /** Calls when the watcher may watch no longer. */
  readonly onEnd: (listener: () => void) => () => void
}

const watch = async (
  stream: SSEStreamingApi,
  control: Control,
  after: number | undefined,
  terms: Terms,
): Promise<void> => {
  const mailbox = createMailbox(terms)
  const bell = createBell()
  // Listening starts before the past is read: nothing falls between the two.
  const unsubscribe = control.subscribe((change) => {
    mailbox.put(change)
    bell.ring()
  })
  stream.onAbort(() => {
    unsubscribe()
    bell.ring()
  })
  const ended = new AbortController()
  const forgetEnd = terms.onEnd(() => {
    ended.abort()
    bell.ring()
  })
  try {
    await stream.write('retry: 2000\n\n')
    let sent = await replay(stream, control, after, terms.replayMax)
    while (!ended.signal.aborted && !stream.aborted && !stream.closed && !mailbox.closed()) {
      for (const change of mailbox.take()) {
        if (change.kind === 'audit' && change.event.seq <= sent) continue
        if (change.kind === 'audit') sent = change.event.seq
        await stream.writeSSE(toMessage(change))
      }
      const rang = await bell.wait(terms.heartbeatMs)
      if (!rang) await stream.write(': still here\n\n')
    }
  } finally {
    unsubscribe()
    forgetEnd()
  }
}

/** Sends what came after `after`; returns the highest sequence that the watcher has then. */
const replay = async (
  stream: SSEStreamingApi,
  control: Control,
  after: number | undefined,
  replayMax: number,
): Promise<number> => {
  const head = (await control.latestEvents(1))[0]?.seq ?? 0
  if (after === undefined) return head
  // A sequence from the future is of another registry: nothing that the watcher has is of use.
  if (after > head || head - after > replayMax) {
    await stream.writeSSE({ event: 'reset', id: String(head), data: JSON.stringify({ seq: head }) })
    return head
  }
  let sent = after
  for (const event of await control.events({ fromSeq: after + 1, limit: replayMax })) {
    await stream.writeSSE(toMessage({ kind: 'audit', event }))
    sent = event.seq
  }
  return sent
}

const toMessage = (change: Change): { event: string; id?: string; data: string } => {
  switch (change.kind) {
    case 'audit':
      return {
        event: 'audit',
        id: String(change.event.seq),
        data: JSON.stringify(toAuditEvent(change.event)),
      }
    case 'agent':
      return { event: 'agent', data: JSON.stringify(change.agent) }
    case 'model':
      return { event: 'model', data: JSON.stringify(change.model) }
    case 'forecasts':
      return { event: 'forecasts', data: JSON.stringify({ model: change.model }) }
  }
}

/** Wakes one waiter; a ring while nobody waits is kept for the next wait. */
const createBell = () => {
  let rung = false
  let wake: (() => void) | undefined
  return {
    ring: (): void => {
      rung = true
      wake?.()
    },
    /** True when it rang, false when `timeoutMs` passed first. */
    wait: async (timeoutMs: number): Promise<boolean> => {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMs)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
        wake = undefined
      }
      const rang = rung
      rung = false
      return rang
    },
  }
}
