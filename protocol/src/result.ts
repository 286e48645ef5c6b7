/**
 * How a decision says no, and how the world's failures reach an operator.
 *
 * A refusal is an expected answer and therefore a value. A `Failure` is something the outside did to us
 * (disk, network, a library) and is thrown. A broken `invariant` is our own mistake and ends the process.
 */

/** Why something was not accepted. `code` is stable and documented; `hint` tells the operator what to do. */
export interface Refusal<Code extends string = string> {
  readonly code: Code
  readonly message: string
  readonly hint?: string
}

export interface Accepted<Value> {
  readonly ok: true
  readonly value: Value
}

export interface Refused<Code extends string = string> {
  readonly ok: false
  readonly refusal: Refusal<Code>
}

export type Result<Value, Code extends string = string> = Accepted<Value> | Refused<Code>

export const accept = <Value>(value: Value): Accepted<Value> => ({ ok: true, value })

export const refuse = <Code extends string>(code: Code, message: string, hint?: string): Refused<Code> => ({
  ok: false,
  refusal: hint === undefined ? { code, message } : { code, message, hint },
})

interface FailureDetail {
  readonly cause?: unknown
  /** True when the same call may succeed later without anyone changing anything. */
  readonly retryable?: boolean
  readonly hint?: string
}

/** A failure of the outside world, with what an operator needs to act on it. */
export class Failure extends Error {
  readonly code: string
  readonly retryable: boolean
  readonly hint: string | undefined

  constructor(code: string, message: string, detail: FailureDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.name = 'Failure'
    this.code = code
    this.retryable = detail.retryable ?? false
    this.hint = detail.hint
  }
}

/** Ends the process on a programmer's error; never used on input from outside. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`)
}
