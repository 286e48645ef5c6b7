/**
 * The chain of trust roots in `trust/roots/<version>.json`, verified from the first one on each time it is loaded.
 * Another process may add the next one: `refresh` finds it, and believes it for its signatures only.
 */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { verifySignature } from '@imlma/protocol/node'
import { accept, Failure, type Result } from '@imlma/protocol/result'
import {
  canonicalJson,
  openFirstRoot,
  openNextRoot,
  parseEnvelope,
  type Envelope,
  type TrustRefusal,
  type TrustRoot,
} from '@imlma/protocol/trust'
import { writeOnce } from './write-once.fs.ts'

export interface RootChain {
  readonly current: () => TrustRoot
  /** Oldest first, from version 1 on. */
  readonly envelopes: () => readonly Envelope[]
  /** Verifies, persists, then believes. One that is in the chain already is accepted again. */
  readonly accept: (envelope: Envelope) => Promise<Result<TrustRoot, TrustRefusal>>
  /** True when another process has added to the chain. Throws `Failure` TRUST_BROKEN. */
  readonly refresh: () => Promise<boolean>
}

/** Throws `Failure` TRUST_MISSING, TRUST_BROKEN. */
export const openRootChain = async (folder: string): Promise<RootChain> => {
  const pathOf = (version: number): string => join(folder, `${version}.json`)
  const envelopes: Envelope[] = []
  let current: TrustRoot | undefined

  const believe = (root: TrustRoot, envelope: Envelope): void => {
    current = root
    envelopes.push(envelope)
  }

  const refresh = async (): Promise<boolean> => {
    const versions = await versionsIn(folder)
    const known = envelopes.length
    for (const version of versions.slice(known)) {
      if (version !== envelopes.length + 1) throw broken(pathOf(envelopes.length + 1), 'is missing')
      const envelope = parseEnvelope(await readFile(pathOf(version)))
      if (!envelope.ok) throw broken(pathOf(version), envelope.refusal.message)
      const root =
        current === undefined
          ? openFirstRoot(envelope.value, verifySignature)
          : openNextRoot(current, envelope.value, verifySignature)
      if (!root.ok) throw broken(pathOf(version), `${root.refusal.code}: ${root.refusal.message}`)
      if (root.value.version !== version) throw broken(pathOf(version), `is version ${root.value.version}`)
      believe(root.value, envelope.value)
    }
    return envelopes.length > known
  }

  await refresh()
  const inForce = (): TrustRoot => {
    if (current !== undefined) return current
    throw new Failure('TRUST_MISSING', `there is no trust root in ${folder}`, {
      hint: 'start the control centre once, or restore the trust folder from a backup',
    })
  }
  inForce()

  const acceptNext: RootChain['accept'] = async (envelope) => {
    await refresh()
    const text = canonicalJson(envelope)
    const index = envelopes.findIndex((known) => canonicalJson(known) === text)
    if (index >= 0) return accept(inForce())
    const next = openNextRoot(inForce(), envelope, verifySignature)
    if (!next.ok) return next
    const written = await writeOnce(pathOf(next.value.version), `${JSON.stringify(envelope)}\n`, 0o644)
    // Somebody else was first with this version: look again at what is there now.
    if (!written.ok) return acceptNext(envelope)
    believe(next.value, envelope)
    return next
  }

  // One at a time: two that were handed in at once must not both follow the same root.
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }
  return {
    current: inForce,
    envelopes: () => [...envelopes],
    accept: (envelope) => inTurn(() => acceptNext(envelope)),
    refresh: () => inTurn(refresh),
  }
}

const versionsIn = async (folder: string): Promise<readonly number[]> => {
  const names = await readdir(folder).catch(() => [])
  return names
    .flatMap((name) => /^([1-9]\d{0,8})\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b)
}

const broken = (path: string, message: string): Failure =>
  new Failure('TRUST_BROKEN', `trust root ${path}: ${message}`, {
    hint: 'restore the trust folder from a backup; do not edit or remove roots',
  })
