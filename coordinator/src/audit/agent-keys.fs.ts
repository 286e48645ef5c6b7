/** The keys with which an agent may have signed its log: those that were certified at its enrolments. */

import { join } from 'node:path'
import { toKeyId } from '@imlma/protocol/node'
import { fromBase64, type VerificationKey } from '@imlma/protocol/trust'
import { readIssued } from '../trust/pki/agents.fs.ts'

/** `trust` is `<dataDir>/trust`; empty for an agent that was never enrolled. */
export const readSigningKeys = async (trust: string, agent: string): Promise<readonly VerificationKey[]> => {
  const issued = await readIssued(join(trust, 'pki'), agent)
  return [...new Set(issued.map(({ signingKey }) => signingKey))].map((key) => {
    const publicKey = fromBase64(key)
    return { keyid: toKeyId(publicKey), scheme: 'ed25519', publicKey }
  })
}
