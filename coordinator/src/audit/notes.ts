/** What nobody reports as it happens: other settings than at the last start, and readings that were not taken. */

import { z } from 'zod'
import type { Registry } from '../registry/registry.ts'
import type { StateStore } from '../storage/states.ts'

interface Parts {
  readonly registry: Pick<Registry, 'append'>
  readonly states: Pick<StateStore, 'load' | 'save'>
  readonly now: () => number
}

const room = 'audit-notes'
const digestsSchema = z.record(z.string(), z.string())
const countsSchema = z.record(z.string(), z.number())
/** Settings, and codes, of one event. */
const namesMax = 64

/** Only digests are kept: a setting may be long, and a change is what matters. */
export const noteSettings = async (
  { registry, states, hash, now }: Parts & { readonly hash: (value: unknown) => string },
  settings: Readonly<Record<string, unknown>>,
): Promise<void> => {
  const before = await states.load(room, 'settings', digestsSchema)
  const digests = Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [[name, hash(value)]])),
  )
  const digest = hash(digests)
  const previous = before === undefined ? null : hash(before)
  if (digest === previous) return
  const names = [...new Set([...Object.keys(digests), ...Object.keys(before ?? {})])]
  const changed = names.filter((name) => digests[name] !== before?.[name]).slice(0, namesMax)
  await registry.append([{ kind: 'setting-changed', digest, previous, changed }], now())
  await states.save(room, 'settings', digests, now())
}

/** Records how many batches were refused since the last look, by code; one event for all of them. */
export const createRefusalNotes = async ({
  registry,
  states,
  quarantined,
  now,
}: Parts & { readonly quarantined: () => Readonly<Record<string, number>> }): Promise<
  () => Promise<void>
> => {
  let known = (await states.load(room, 'refusals', countsSchema)) ?? {}
  return async () => {
    const counts = quarantined()
    const news = Object.entries(counts)
      .map(([code, count]) => [code, count - (known[code] ?? 0)] as const)
      .filter(([, count]) => count > 0)
      .slice(0, namesMax)
    if (news.length === 0) return
    await registry.append([{ kind: 'readings-refused', batches: Object.fromEntries(news) }], now())
    await states.save(room, 'refusals', counts, now())
    known = counts
  }
}
