/** Keys of the benchmark's agents: each follows from its agent's name, so that both processes know it. */

import { createPublicKey, createPrivateKey, createHash, type KeyObject } from 'node:crypto'
import type { AgentKeys } from '@imlma/coordinator/trust/signatures'
import { createSigner } from '@imlma/protocol/node'
import { signBatch, type Signer } from '@imlma/protocol/trust'
import { encodeCbor, type ReadingBatch } from '@imlma/protocol/wire'
import { agentOf, site } from './load.ts'

const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex')

const secretOf = (agent: string): Buffer => createHash('sha256').update(agent).digest()

const signers = new Map<string, Signer>()
const signerOf = (agent: string): Signer => {
  const signer = signers.get(agent) ?? createSigner(secretOf(agent))
  signers.set(agent, signer)
  return signer
}

/** CBOR of the entry "signature": 0, in whose place the signature comes. */
const placeholderBytes = 11

export const signedBy = (publisher: number, batch: ReadingBatch): Uint8Array => {
  const agent = agentOf(publisher)
  const front = encodeCbor({ ...batch, signature: 0 }).subarray(0, -placeholderBytes)
  return signBatch({ site, agent }, front, signerOf(agent))
}

const publicKeys = new Map<string, KeyObject>()
const publicKeyOf = (agent: string): KeyObject => {
  const der = Buffer.concat([privatePrefix, secretOf(agent)])
  const key =
    publicKeys.get(agent) ?? createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  publicKeys.set(agent, key)
  return key
}

/** As it stands in memory after the first batch of each agent. */
export const keyBook: AgentKeys = {
  find: async ({ agent }, keyid) => ({
    key: publicKeyOf(agent),
    certification: { v: 1, site, agent, keyid, public: '', serial: '0', issuedAt: 0, expiresAt: 8e15 },
  }),
}
