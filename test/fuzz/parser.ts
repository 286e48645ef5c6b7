/**
 * A parser as the fuzzer sees it, and the oracles that say whether it believed what it should not have.
 *
 *   bytes → refused │ accepted │ accepted wrongly │ (an exception: it crashed)
 *
 * What was accepted must be read again, after it was written again, as the same. What is signed must be one of the
 * documents that were signed, and nothing else.
 */

import { isDeepStrictEqual } from 'node:util'
import type { Result } from '@imlma/protocol/result'
import type { Structured } from './mutate.ts'

export type Verdict = 'refused' | 'accepted' | { readonly wrong: string }

export interface Parser {
  readonly name: string
  /** Honest inputs; each of them is accepted. */
  readonly samples: readonly Uint8Array[]
  /** Where they are documents in another form than JSON. */
  readonly structured?: Structured
  /** Throws where the parser crashes. */
  readonly judge: (bytes: Uint8Array) => Verdict | Promise<Verdict>
  /** Inputs of one turn are divided by it: for what touches the disk or computes long. */
  readonly cost?: number
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
export const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value))

/** Whatever JSON says; undefined where it says nothing. */
export const toDocument = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(text(bytes))
  } catch {
    return undefined
  }
}

export const orUndefined = <Value>(result: Result<Value>): Value | undefined =>
  result.ok ? result.value : undefined

/** What was read must be read as the same after `write`. */
export const stable =
  <Value>(read: (bytes: Uint8Array) => Value | undefined, write: (value: Value) => Uint8Array) =>
  (bytes: Uint8Array): Verdict => {
    const first = read(bytes)
    if (first === undefined) return 'refused'
    const again = read(write(first))
    if (again === undefined) return { wrong: 'written again, it is refused' }
    return isDeepStrictEqual(again, first) ? 'accepted' : { wrong: 'written again, it is another' }
  }

/** What was believed must be one of the documents that were signed. */
export const signed =
  <Value>(read: (bytes: Uint8Array) => Value | undefined, documents: readonly Value[]) =>
  (bytes: Uint8Array): Verdict => {
    const value = read(bytes)
    if (value === undefined) return 'refused'
    return documents.some((each) => isDeepStrictEqual(each, value))
      ? 'accepted'
      : { wrong: 'nobody has signed this' }
  }

/** What was accepted must keep what is said of everything that is accepted; `broken` names what it does not keep. */
export const keeping =
  <Value>(
    read: (bytes: Uint8Array) => Value | undefined,
    broken: (value: Value, bytes: Uint8Array) => string | undefined,
  ) =>
  (bytes: Uint8Array): Verdict => {
    const value = read(bytes)
    if (value === undefined) return 'refused'
    const wrong = broken(value, bytes)
    return wrong === undefined ? 'accepted' : { wrong }
  }

/** Honest signed inputs, and the judgement that nothing but what they say is believed. */
export const genuine = (
  read: (bytes: Uint8Array) => unknown,
  samples: readonly Uint8Array[],
): Pick<Parser, 'samples' | 'judge'> => ({
  samples,
  judge: signed(
    read,
    samples.map((sample) => read(sample)),
  ),
})
