/**
 * `imlma audit verify`: do the records hold? Reads the data directory itself, asks a control centre, or verifies a file
 * that was exported, with nothing but that file.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { grouped } from '../../api/sentences.ts'
import type { ProvenanceMismatch } from '../../datasets/verify-provenance.crypto.ts'
import type { Command, Context, Outcome, RecomputedProvenance, VerifiedRecords } from '../command.ts'

/** Bytes of an exported file: some million events. */
const fileBytesMax = 1_073_741_824

export const auditVerifyCommand: Command = {
  name: 'audit verify',
  summary: 'recompute the chain of events: a changed, removed or re-ordered one is found',
  options: [{ flags: '--file <file>', about: 'verify an exported file instead, without any database' }],
  example: 'imlma audit verify --data-dir .imlma',
  run: async (context, { options }) => {
    if (typeof options.file === 'string') return verifyFile(context, options.file)
    const { client, settings, audit } = context
    const { dataDir, site, url, urlGiven } = settings
    const chain: VerifiedRecords = urlGiven ? await client.verify() : await audit.verifyLocally(dataDir, site)
    if (!chain.intact) {
      const { code, message } = chain.fault ?? { code: 'CHAIN_BROKEN', message: 'the chain does not hold' }
      return refuse(code, message, 'keep the files as they are, and restore the registry from a backup')
    }
    const [mismatch, ...others] = chain.provenance?.mismatches ?? []
    if (mismatch !== undefined) return refuseMismatch(mismatch, others.length)
    const holds = `the chain holds: ${grouped(chain.events)} events, head ${chain.headHash ?? 'none'} (${urlGiven ? url : dataDir})`
    return accept({ text: [holds, describe(chain.provenance)].join('\n'), json: chain })
  },
}

const refuseMismatch = ({ dataset, agent, code, message }: ProvenanceMismatch, others: number) =>
  refuse(
    code,
    `dataset ${dataset}, agent ${agent}: ${message}${others === 0 ? '' : ` (and ${grouped(others)} more)`}`,
    'keep the files as they are, and compare readings.db and trust/agents with a backup',
  )

const describe = (provenance: RecomputedProvenance | undefined): string => {
  if (provenance === undefined) return 'datasets were not recomputed: that needs --data-dir, and no --url'
  const { datasets, agents, batches, signaturesVerified, digestOnly, unsigned } = provenance
  const open = unsigned.length === 0 ? '' : `; unsigned parts of ${grouped(unsigned.length)} agents`
  if (datasets === 0) return `no dataset has signed batches${open}`
  return [
    `the datasets hold: ${grouped(datasets)} from ${grouped(batches)} signed batches of ${grouped(agents)} agents`,
    `${grouped(signaturesVerified)} signatures verified, ${grouped(digestOnly)} held by digest only${open}`,
  ].join('; ')
}

const verifyFile = async ({ readFile, audit }: Context, path: string): Promise<Result<Outcome>> => {
  const { bytes } = await readFile(path, fileBytesMax)
  const verified = await audit.verifyExported(bytes)
  if (!verified.ok) {
    return refuse(
      verified.refusal.code,
      verified.refusal.message,
      'compare it with another copy, or export it again',
    )
  }
  const { site, firstSeq, lastSeq, signedUpTo, rootDigest, headHash } = verified.value
  return accept({
    text: [
      `the file holds: events ${grouped(firstSeq)} to ${grouped(lastSeq)} of ${site}, head ${headHash}`,
      signedUpTo === null
        ? 'no checkpoint covers them: they are chained, and signed by nobody'
        : `signed up to event ${grouped(signedUpTo)}`,
      `first trust root ${rootDigest}: compare it with the one that you know`,
    ].join('\n'),
    json: verified.value,
  })
}
