/** Tells what happens, line by line: facts of the registry on standard output, progress on standard error. */

import type { Ask } from './ask.ts'

export interface Narrator {
  readonly stop: () => void
}

interface ModelState {
  readonly model: string
  readonly trigger: {
    readonly readings: number
    readonly threshold: number
    readonly readingsTotal: number
    readonly readingsMin: number
  }
  readonly run: { readonly phase: string; readonly progress: number | null; readonly detail: string } | null
}

const progressEveryMs = 2_000

/** Follows the control centre's events from the registry's `after` on, also over its restarts. */
export const narrate = (ask: Ask, after: number): Narrator => {
  const stopping = new AbortController()
  let last = after
  let told = 0

  const tellAudit = (seq: number, at: number, sentence: string): void => {
    last = seq
    console.log(`${new Date(at).toISOString().slice(11, 19)}  ${sentence}`)
  }

  const tellModel = ({ model, trigger, run }: ModelState): void => {
    const now = performance.now()
    if (now - told < progressEveryMs) return
    told = now
    if (run !== null) {
      const share = run.progress === null ? '' : ` ${Math.round(run.progress * 100)} %`
      console.error(`          ${model}: ${run.phase}${share} ${run.detail}`)
    } else if (trigger.readingsTotal < trigger.readingsMin) {
      console.error(
        `          ${model}: ${grouped(trigger.readingsTotal)} of ${grouped(trigger.readingsMin)} readings for a first training`,
      )
    } else {
      console.error(
        `          ${model}: ${grouped(trigger.readings)} of ${grouped(trigger.threshold)} new readings`,
      )
    }
  }

  const follow = async (): Promise<void> => {
    const response = await ask(`events?after=${last}`, { signal: stopping.signal })
    for await (const { event, data } of eventsOf(response)) {
      const document: unknown = JSON.parse(data)
      if (event === 'audit') {
        const { seq, at, sentence } = document as { seq: number; at: number; sentence: string }
        tellAudit(seq, at, sentence)
      } else if (event === 'model') tellModel(document as ModelState)
    }
  }

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await follow().catch(() => undefined) // the control centre is away: it is asked again
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
  void run()
  return { stop: () => stopping.abort() }
}

const grouped = (value: number): string => value.toLocaleString('en-US')

/** Server-sent events out of a response: `event` and `data` lines, ended by an empty one. */
const eventsOf = async function* (response: Response): AsyncGenerator<{ event: string; data: string }> {
  let text = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    const messages = text.split('\n\n')
    text = messages.pop() ?? ''
    for (const message of messages) {
      const field = (name: string) =>
        message
          .split('\n')
          .filter((line) => line.startsWith(`${name}: `))
          .map((line) => line.slice(name.length + 2))
          .join('\n')
      if (field('data') !== '') yield { event: field('event'), data: field('data') }
    }
  }
}
