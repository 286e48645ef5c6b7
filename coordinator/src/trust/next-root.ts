/** The trust root's next version: one key more, or one key less. What it takes to become valid is in `chain.ts` of protocol. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  openNextRoot,
  rootPayloadType,
  rootSchema,
  sealEnvelope,
  type Envelope,
  type Role,
  type Signer,
  type TrustRefusal,
  type TrustRoot,
  type VerifySignature,
} from '@imlma/protocol/trust'

export interface PublicKey {
  readonly keyid: string
  /** Raw, base64. */
  readonly public: string
  readonly name: string
}

/** Who may root, release, direct and certify agents from the first day on, each alone; technicians join later. */
export const firstRoot = (
  keys: Readonly<Record<'root' | 'release' | 'director' | 'agent', PublicKey>>,
  technicians: readonly PublicKey[],
  expiresAt: number,
): TrustRoot => {
  const alone = ({ keyid }: PublicKey) => ({ keyids: [keyid], threshold: 1 })
  const all = [keys.root, keys.release, keys.director, keys.agent, ...technicians]
  return {
    v: 1,
    version: 1,
    expiresAt,
    keys: Object.fromEntries(all.map((key) => [key.keyid, toRootKey(key)])),
    roles: {
      root: alone(keys.root),
      release: alone(keys.release),
      director: alone(keys.director),
      technician: { keyids: technicians.map(({ keyid }) => keyid), threshold: 1 },
      agent: alone(keys.agent),
    },
  }
}

/** The next version with `key` in `role` beside those that hold it. */
export const withKey = (root: TrustRoot, role: Role, key: PublicKey): TrustRoot => ({
  ...root,
  version: root.version + 1,
  keys: { ...root.keys, [key.keyid]: toRootKey(key) },
  roles: {
    ...root.roles,
    [role]: { ...root.roles[role], keyids: [...new Set([...root.roles[role].keyids, key.keyid])] },
  },
})

/** The next version without the key, in any role. NOT_ENOUGH_KEYS where a role that needs keys would be left short of them. */
export const withoutKey = (root: TrustRoot, keyid: string): Result<TrustRoot, 'NOT_ENOUGH_KEYS'> => {
  const next = structuredClone(root)
  next.version += 1
  delete next.keys[keyid]
  for (const [name, role] of Object.entries(next.roles)) {
    const held = role.keyids.length
    role.keyids = role.keyids.filter((one) => one !== keyid)
    const optional = name === 'technician' || name === 'agent'
    if (role.keyids.length < held && role.keyids.length < role.threshold && !optional) {
      return refuse(
        'NOT_ENOUGH_KEYS',
        `role ${name} would be left with ${role.keyids.length} of ${role.threshold} keys`,
      )
    }
  }
  return accept(next)
}

/** Signed by `signers`; refused with the agents' own reason where they are not enough to make it the next root. */
export const sealNextRoot = (
  current: TrustRoot,
  next: TrustRoot,
  signers: readonly Signer[],
  verify: VerifySignature,
): Result<Envelope, TrustRefusal> => {
  const envelope = sealEnvelope(rootPayloadType, rootSchema.parse(next), signers)
  const opened = openNextRoot(current, envelope, verify)
  return opened.ok ? accept(envelope) : opened
}

const toRootKey = ({ public: key, name }: PublicKey) => ({ scheme: 'ed25519' as const, public: key, name })
