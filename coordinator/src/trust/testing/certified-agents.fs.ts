/** The trust of a site in a folder of its own, and agents' keys that it has certified. For tests. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSigner, generateKeyPair } from '@imlma/protocol/node'
import { certificationPayloadType, sealEnvelope, toBase64, type Signer } from '@imlma/protocol/trust'
import type { Address } from '@imlma/protocol/wire'
import { establishTrust } from '../establish.fs.ts'

export interface SigningAgent {
  readonly signer: Signer
  /** Raw Ed25519, base64. */
  readonly public: string
}

export interface CertifiedAgents {
  /** As `<dataDir>/trust`. */
  readonly folder: string
  /** By the site's own key, unless another signer is given. */
  readonly certify: (agent: Address, key: SigningAgent, change?: object, signer?: Signer) => Promise<void>
  readonly close: () => Promise<void>
}

export const newSigningAgent = (): SigningAgent => {
  const { publicKey, secretKey } = generateKeyPair()
  return { signer: createSigner(secretKey), public: toBase64(publicKey) }
}

export const openCertifiedAgents = async (given?: string): Promise<CertifiedAgents> => {
  const folder = given ?? (await mkdtemp(join(tmpdir(), 'imlma-certified-')))
  const trust = await establishTrust(folder, { now: Date.now() })
  return {
    folder,
    certify: async ({ site, agent }, key, change = {}, signer = trust.agent!) => {
      const { keyid } = key.signer
      const issuedAt = 0
      const document = { v: 1, site, agent, keyid, public: key.public, serial: 'ab'.repeat(16), issuedAt }
      const certification = { ...document, expiresAt: 8e15, ...change }
      const certified = join(folder, 'agents', `${site}.${agent}`)
      await mkdir(certified, { recursive: true })
      const envelope = sealEnvelope(certificationPayloadType, certification, [signer])
      await writeFile(join(certified, `${keyid}.json`), JSON.stringify(envelope))
    },
    close: () => rm(folder, { recursive: true }),
  }
}
