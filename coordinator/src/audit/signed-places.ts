/** Do checkpoints agree with a chain? Each is verified under the trust roots, then held against the event that it names. */

import { checkpointPayloadType, checkpointSchema } from '@imlma/protocol/audit'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { openEnvelope, type Envelope, type TrustRoot, type VerifySignature } from '@imlma/protocol/trust'
import { registryLog } from './checkpointer.ts'

export interface SignedPlace {
  readonly seq: number
  readonly hash: string
}

/** What a checkpoint of the registry says, where the director of one of these roots has signed it. */
export const openPlace = (
  envelope: Envelope | undefined,
  roots: readonly TrustRoot[],
  verify: VerifySignature,
): Result<SignedPlace> => {
  if (envelope === undefined) return refuse('MALFORMED', 'a line of the checkpoints is no envelope')
  const terms = {
    payloadType: checkpointPayloadType,
    schema: checkpointSchema,
    role: 'director',
    verify,
  } as const
  // The newest first: a key that was replaced signed what is older.
  for (const root of roots.toReversed()) {
    const opened = openEnvelope(envelope, { ...terms, root })
    if (!opened.ok) continue
    const { log, agent, head } = opened.value
    if (log !== registryLog || agent !== null)
      return refuse('WRONG_TARGET', `a checkpoint of another log: ${log}`)
    return accept(head)
  }
  return refuse('BAD_SIGNATURE', 'a checkpoint is not signed by the director of any trust root')
}

export interface PlaceFault {
  readonly seq: number
  readonly message: string
}

/** The first place at which the chain is another one than was signed; `lastSeq` is where it ends. */
export const placeFault = (
  places: readonly SignedPlace[],
  hashes: ReadonlyMap<number, string>,
  lastSeq: number,
): PlaceFault | undefined => {
  for (const { seq, hash } of places.toSorted((a, b) => a.seq - b.seq)) {
    if (seq > lastSeq) {
      return {
        seq: lastSeq + 1,
        message: `the events up to ${seq} were signed, and the chain ends at ${lastSeq}`,
      }
    }
    const found = hashes.get(seq)
    if (found !== undefined && found !== hash) {
      return { seq, message: `the events up to ${seq} were rewritten: another hash was signed` }
    }
  }
  return undefined
}
