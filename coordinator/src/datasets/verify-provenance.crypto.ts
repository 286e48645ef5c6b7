/**
 * Do the readings of datasets come from batches that their agents have signed? Recomputed from the store of readings and
 * the agents' certified keys alone, so that it can be asked years later, of a copy, without the control centre. Each
 * dataset names the beginning of an agent's chain: one walk along it answers for all of them.
 *
 *   record ── head ──▶ digests of all batches ── as long as a batch's bytes are kept ──▶ its signature ──▶ certified key
 *
 * A batch whose bytes were pruned is held by its digest in the chain; its signature was verified before it was stored.
 */

import { createHash } from 'node:crypto'
import { verifyBatch, type VerifyBytes } from '@imlma/protocol/trust'
import type { Address } from '@imlma/protocol/wire'
import type { DatasetRecord } from '../registry/events.ts'
import type { ReadingsReader, SignedBatch } from '../storage/readings.ts'
import { emptyHead, extendHead } from '../storage/signed-head.crypto.ts'

/** Batches that are read at a time: at most 64 packets in memory. */
const pageBatches = 64

interface Parts {
  readonly readings: Pick<ReadingsReader, 'signedBatches'>
  /** Verifies with this key of the agent; undefined where the trust roots certify no such key as the agent's. */
  readonly verifierOf: (agent: string, keyid: string) => VerifyBytes | undefined
}

type SignedProvenance = NonNullable<DatasetRecord['provenance'][number]['signed']>

interface Claim {
  readonly dataset: string
  readonly signed: SignedProvenance
}

export interface VerifiedAgent {
  readonly agent: string
  /** Batches that were walked along: those of its longest dataset, or up to where the chain breaks. */
  readonly batches: number
  readonly signaturesVerified: number
  /** The bytes of these were pruned; the chain holds their digests. */
  readonly digestOnly: number
}

/** `PROVENANCE_BROKEN`: the store does not hold what the record says. `BAD_SIGNATURE`, `UNKNOWN_KEY`: of a stored batch. */
export type ProvenanceRefusal = 'PROVENANCE_BROKEN' | 'BAD_SIGNATURE' | 'UNKNOWN_KEY'

export interface ProvenanceMismatch {
  readonly dataset: string
  readonly agent: string
  readonly code: ProvenanceRefusal
  readonly message: string
}

export interface VerifiedProvenance {
  readonly agents: readonly VerifiedAgent[]
  /** Agents whose part in a dataset carries no signatures: the site was open then. */
  readonly unsigned: readonly string[]
  /** By agent, the shortest beginning of its chain first. Empty where all holds. */
  readonly mismatches: readonly ProvenanceMismatch[]
}

/** 0.2 ms a batch whose bytes are kept, 5 µs one whose are not; a batch of several datasets counts and costs once. */
export const verifyProvenance = (
  parts: Parts,
  site: string,
  datasets: readonly Pick<DatasetRecord, 'sha256' | 'provenance'>[],
): VerifiedProvenance => {
  const claims = new Map<string, Claim[]>()
  const unsigned = new Set<string>()
  for (const { sha256: dataset, provenance } of datasets) {
    for (const { agent, signed } of provenance) {
      if (signed === undefined) {
        unsigned.add(agent)
        continue
      }
      const ofAgent = claims.get(agent) ?? []
      ofAgent.push({ dataset, signed })
      claims.set(agent, ofAgent)
    }
  }
  const walks = [...claims].map(([agent, ofAgent]) => walkChain(parts, { site, agent }, ofAgent))
  return {
    agents: walks.map(({ verified }) => verified),
    unsigned: [...unsigned],
    mismatches: walks.flatMap(({ mismatches }) => mismatches),
  }
}

const walkChain = (
  { readings, verifierOf }: Parts,
  address: Address,
  claims: readonly Claim[],
): { readonly verified: VerifiedAgent; readonly mismatches: readonly ProvenanceMismatch[] } => {
  const { agent } = address
  const due = claims.toSorted((a, b) => a.signed.batches - b.signed.batches)
  const end = due.at(-1)?.signed.batches ?? 0
  const mismatches: ProvenanceMismatch[] = []
  const walked: Walked = { batches: 0, head: emptyHead, firstSeq: Infinity, lastSeq: 0, keyids: new Set() }
  let signaturesVerified = 0
  let answered = 0
  let stop: Objection | undefined
  for (const batch of batchesOf(readings, address, end)) {
    if (batch.position !== walked.batches + 1) break
    stop = objectionTo(batch, address, verifierOf)
    if (stop !== undefined) break
    if (batch.bytes !== null) signaturesVerified += 1
    extend(walked, batch)
    for (let claim = due[answered]; claim?.signed.batches === walked.batches; claim = due[answered]) {
      const objection = claimObjection(agent, walked, claim.signed)
      if (objection !== undefined) mismatches.push({ dataset: claim.dataset, agent, ...objection })
      answered += 1
    }
  }
  for (const { dataset, signed } of due.slice(answered)) {
    const objection =
      stop ?? broken(`batch ${walked.batches + 1} of ${signed.batches} of ${agent} is missing`)
    mismatches.push({ dataset, agent, ...objection })
  }
  const { batches } = walked
  const digestOnly = batches - signaturesVerified
  return { verified: { agent, batches, signaturesVerified, digestOnly }, mismatches }
}

function* batchesOf(readings: Parts['readings'], { site, agent }: Address, end: number) {
  for (let after = 0; after < end;) {
    const page = readings.signedBatches(site, agent, after, Math.min(pageBatches, end - after))
    if (page.length === 0) return
    yield* page
    after = page.at(-1)?.position ?? end
  }
}

/** The beginning of a chain, up to a batch. */
interface Walked {
  batches: number
  head: Uint8Array
  firstSeq: number
  lastSeq: number
  readonly keyids: Set<string>
}

const extend = (walked: Walked, { seq, digest, keyid }: SignedBatch): void => {
  walked.batches += 1
  walked.head = extendHead(walked.head, digest)
  walked.firstSeq = Math.min(walked.firstSeq, seq)
  walked.lastSeq = Math.max(walked.lastSeq, seq)
  walked.keyids.add(keyid)
}

const claimObjection = (
  agent: string,
  { head, firstSeq, lastSeq, keyids }: Walked,
  claimed: SignedProvenance,
): Objection | undefined => {
  if (Buffer.from(head).toString('hex') !== claimed.head) {
    return broken(`the digests of ${claimed.batches} batches of ${agent} do not give the head of the record`)
  }
  if (firstSeq !== claimed.firstSeq || lastSeq !== claimed.lastSeq) {
    return broken(`the batches of ${agent} are ${firstSeq} to ${lastSeq}, not as the record says`)
  }
  if (!claimed.keyids.every((keyid) => keyids.has(keyid))) {
    return broken(`the record names a key that has signed none of the batches of ${agent}`)
  }
  return undefined
}

type Objection = Pick<ProvenanceMismatch, 'code' | 'message'>

const objectionTo = (
  { seq, keyid, digest, bytes }: SignedBatch,
  address: Address,
  verifierOf: Parts['verifierOf'],
): Objection | undefined => {
  if (bytes === null) return undefined
  const name = `batch ${seq} of ${address.agent}`
  if (Buffer.compare(createHash('sha256').update(bytes).digest(), digest) !== 0) {
    return broken(`${name} is not the one that was stored`)
  }
  const verify = verifierOf(address.agent, keyid)
  if (verify === undefined) {
    return { code: 'UNKNOWN_KEY', message: `${name} is signed by ${keyid}, which is not certified` }
  }
  const verified = verifyBatch(address, bytes, verify)
  if (verified.ok && verified.value.keyid === keyid) return undefined
  return { code: 'BAD_SIGNATURE', message: `${name} is not signed by ${keyid}` }
}

const broken = (message: string): Objection => ({ code: 'PROVENANCE_BROKEN', message })
