/**
 * The signed batches of every dataset in the registry, recomputed from `readings.db`, which is only read: also while the
 * control centre writes it. What a dataset names is the beginning of a chain that only grows.
 */

import { Failure } from '@imlma/protocol/result'
import {
  verifyProvenance,
  type ProvenanceMismatch,
  type VerifiedProvenance,
} from '../datasets/verify-provenance.crypto.ts'
import type { Layout } from '../layout.ts'
import { toChainedEvent, type StoredEvent } from '../registry/chain.ts'
import type { DatasetRecord } from '../registry/events.ts'
import { openReadingsReader } from '../storage/readings.sqlite.ts'
import type { ReadingsReader } from '../storage/readings.ts'
import { openVerifiers } from '../trust/agent-keys.fs.ts'
import type { RecomputedProvenance } from './command.ts'

type Dataset = Pick<DatasetRecord, 'sha256' | 'provenance'>

/** `rows` is the whole chain of events. Throws `Failure` STORE_FAILED, SCHEMA_NEWER, TRUST_BROKEN, TRUST_MISSING. */
export const recomputeProvenance = async (
  rows: AsyncIterable<StoredEvent>,
  layout: Pick<Layout, 'readings' | 'trust'>,
  site: string,
): Promise<RecomputedProvenance> => {
  const datasets: Dataset[] = []
  for await (const row of rows) {
    const { event } = toChainedEvent(row)
    if (event.kind === 'dataset-frozen') datasets.push(event.dataset)
  }
  const signed = datasets.filter(({ provenance }) => provenance.some((part) => part.signed !== undefined))
  const verified = await verifyStored(datasets, signed, layout, site)
  const sum = (of: 'batches' | 'signaturesVerified' | 'digestOnly'): number =>
    verified.agents.reduce((total, agent) => total + agent[of], 0)
  return {
    datasets: new Set(signed.map(({ sha256 }) => sha256)).size,
    agents: verified.agents.length,
    batches: sum('batches'),
    signaturesVerified: sum('signaturesVerified'),
    digestOnly: sum('digestOnly'),
    unsigned: verified.unsigned,
    mismatches: verified.mismatches,
  }
}

const verifyStored = async (
  datasets: readonly Dataset[],
  signed: readonly Dataset[],
  { readings: path, trust }: Pick<Layout, 'readings' | 'trust'>,
  given: string,
): Promise<VerifiedProvenance> => {
  // Without signatures nothing is looked up: an open site may have no trust roots.
  if (signed.length === 0) return verifyProvenance(nothingStored, given, datasets)
  const readings = openReadings(path)
  if (readings instanceof Failure)
    return { agents: [], unsigned: [], mismatches: allMissing(signed, readings) }
  try {
    const site = siteOf(readings, given)
    const agents = new Set(signed.flatMap(({ provenance }) => provenance.map(({ agent }) => agent)))
    const verifierOf = await openVerifiers(trust, site, [...agents])
    return verifyProvenance({ readings, verifierOf }, site, datasets)
  } finally {
    readings.close()
  }
}

const nothingStored = { readings: { signedBatches: () => [] }, verifierOf: () => undefined }

/** A store that was removed is a mismatch of every dataset, and no reason to wait for one. */
const openReadings = (path: string): ReadingsReader | Failure => {
  try {
    return openReadingsReader(path)
  } catch (error) {
    if (error instanceof Failure && error.code === 'STORE_MISSING') return error
    throw error
  }
}

const allMissing = (signed: readonly Dataset[], { message }: Failure): readonly ProvenanceMismatch[] =>
  signed.flatMap(({ sha256: dataset, provenance }) =>
    provenance
      .filter((part) => part.signed !== undefined)
      .map(({ agent }) => ({ dataset, agent, code: 'PROVENANCE_BROKEN', message })),
  )

/** A store of one site needs no option to be verified; a wrong site could make no signature hold. */
const siteOf = (readings: ReadingsReader, given: string): string => {
  const [first, ...others] = new Set(readings.coverage().map(({ site }) => site))
  return first === undefined || others.length > 0 ? given : first
}
