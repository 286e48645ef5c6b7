/** Feeds mutated inputs to every parser of the table and counts what became of them. The same seed gives the same inputs. */

import fc from 'fast-check'
import { mutated } from './mutate.ts'
import type { Parser } from './parser.ts'

export interface Finding {
  readonly parser: string
  readonly kind: 'crashed' | 'accepted wrongly' | 'slow'
  readonly detail: string
  /** The input, base64, cut after 2,000 characters. */
  readonly input: string
}

export interface Outcome {
  readonly inputs: number
  readonly accepted: number
  readonly findings: readonly Finding[]
  /** Accepted inputs of each parser: one that never accepts was not tested where it matters. */
  readonly acceptedBy: Readonly<Record<string, number>>
}

/** Above this one input holds up everybody else; far above what the loaded machine of a test needs for the dearest one. */
const inputMsMax = 2_000
/** Of one parser: more of the same say nothing new. */
const findingsMax = 5

const judgeOne = async (
  parser: Parser,
  bytes: Uint8Array,
): Promise<string | Omit<Finding, 'parser' | 'input'>> => {
  const startedAt = performance.now()
  try {
    const verdict = await parser.judge(bytes)
    if (Object.keys(Object.prototype).length > 0 || ({} as { polluted?: unknown }).polluted !== undefined)
      return { kind: 'accepted wrongly', detail: 'the prototype of every object was changed' }
    if (typeof verdict === 'object') return { kind: 'accepted wrongly', detail: verdict.wrong }
    const tookMs = performance.now() - startedAt
    return tookMs > inputMsMax ? { kind: 'slow', detail: `${Math.round(tookMs)} ms` } : verdict
  } catch (error) {
    return { kind: 'crashed', detail: String((error as Error).stack ?? error).slice(0, 600) }
  }
}

/** Each parser gets an equal share of `inputs`, those that cost more a smaller one. */
export const fuzz = async (
  parsers: readonly Parser[],
  { inputs, seed }: { readonly inputs: number; readonly seed: number },
): Promise<Outcome> => {
  const shares = parsers.map(({ cost = 1 }) => 1 / cost)
  const total = shares.reduce((sum, share) => sum + share, 0)
  const findings: Finding[] = []
  const acceptedBy: Record<string, number> = {}
  let fed = 0
  for (const [index, parser] of parsers.entries()) {
    const numRuns = Math.max(10, Math.ceil((inputs * (shares[index] as number)) / total))
    let [accepted, found] = [0, 0]
    const property = fc.asyncProperty(mutated(parser.samples, parser.structured), async (bytes) => {
      fed += 1
      const outcome = await judgeOne(parser, bytes)
      if (outcome === 'accepted') accepted += 1
      if (typeof outcome === 'string' || found >= findingsMax) return
      found += 1
      const input = Buffer.from(bytes).toString('base64').slice(0, 2_000)
      findings.push({ parser: parser.name, ...outcome, input })
    })
    await fc.assert(property, { numRuns, seed: seed + index })
    acceptedBy[parser.name] = accepted
  }
  const accepted = Object.values(acceptedBy).reduce((sum, count) => sum + count, 0)
  return { inputs: fed, accepted, findings, acceptedBy }
}
