/** Lets one more technician command the gateways: the next trust root, signed with the site's root key. */

import { verifySignature } from '@imlma/protocol/node'
import { accept, type Result } from '@imlma/protocol/result'
import type { Envelope, TrustRefusal } from '@imlma/protocol/trust'
import { findKeyFile, keyPathOf, rootsFolderOf } from './establish.fs.ts'
import { readKeyFile, toSigner } from './keys.fs.ts'
import { sealNextRoot, withKey, type PublicKey } from './next-root.ts'
import { openRootChain } from './roots.fs.ts'

export interface TechnicianAdded {
  /** Version of the root that knows the key. */
  readonly version: number
  /** The new root; undefined where the key was known already. */
  readonly envelope?: Envelope
}

/**
 * Writes `roots/<n+1>.json` below `folder` (`<dataDir>/trust`); a running control centre finds it by `refresh` and
 * passes it on. Refused where one root key is not enough (threshold). Throws `Failure` KEY_MISSING where the root
 * key is kept elsewhere, KEY_EXPOSED, KEY_UNREADABLE, TRUST_MISSING, TRUST_BROKEN.
 */
export const addTechnician = async (
  folder: string,
  technician: PublicKey,
  rootKeyPath?: string,
): Promise<Result<TechnicianAdded, TrustRefusal>> => {
  const chain = await openRootChain(rootsFolderOf(folder))
  const current = chain.current()
  if (current.roles.technician.keyids.includes(technician.keyid)) return accept({ version: current.version })
  const own = rootKeyPath === undefined ? await findKeyFile(folder, 'root', current) : undefined
  const signer = toSigner(own?.key ?? (await readKeyFile(rootKeyPath ?? keyPathOf(folder, 'root'))))
  const next = withKey(current, 'technician', technician)
  const envelope = sealNextRoot(current, next, [signer], verifySignature)
  if (!envelope.ok) return envelope
  const added = await chain.accept(envelope.value)
  return added.ok ? accept({ version: added.value.version, envelope: envelope.value }) : added
}
