/** The trust root's next version: one key more, or one key less. What it takes to become valid is in `chain.ts` of protocol. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  openNextRoot,
  personOf,
  rootPayloadType,
  rootSchema,
  sealEnvelope,
  type Envelope,
  type KeyScheme,
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
  /** The holder's ML-DSA-65 key. */
  readonly companion?: { readonly keyid: string; readonly public: string } | undefined
}

/** Who may root, release, direct and certify agents from the first day on, each alone; technicians join later. */
export const firstRoot = (
  keys: Readonly<Record<'root' | 'release' | 'director' | 'agent', PublicKey>>,
  technicians: readonly PublicKey[],
  expiresAt: number,
  schemes: readonly KeyScheme[] = ['ed25519'],
): TrustRoot => {
  const asked = schemes.length > 1 ? { schemes: [...schemes] } : {}
  const alone = ({ keyid }: PublicKey) => ({ keyids: [keyid], threshold: 1, ...asked })
  const all = [keys.root, keys.release, keys.director, keys.agent, ...technicians]
  return {
    v: 1,
    version: 1,
    expiresAt,
    keys: Object.assign({}, ...all.map(toRootKeys)) as TrustRoot['keys'],
    roles: {
      root: alone(keys.root),
      release: alone(keys.release),
      director: alone(keys.director),
      technician: { keyids: technicians.map(({ keyid }) => keyid), threshold: 1, ...asked },
      agent: alone(keys.agent),
    },
  }
}

/** The next version with `key` in `role` beside those that hold it. */
export const withKey = (root: TrustRoot, role: Role, key: PublicKey): TrustRoot => ({
  ...root,
  version: root.version + 1,
  keys: { ...root.keys, ...toRootKeys(key) },
  roles: {
    ...root.roles,
    [role]: { ...root.roles[role], keyids: [...new Set([...root.roles[role].keyids, key.keyid])] },
  },
})

/** The next version without the key, in any role. NOT_ENOUGH_KEYS where a role that needs keys would be left short of them. */
export const withoutKey = (root: TrustRoot, keyid: string): Result<TrustRoot, 'NOT_ENOUGH_KEYS'> => {
  const next = structuredClone(root)
  next.version += 1
  const companion = next.keys[keyid]?.companion
  delete next.keys[keyid]
  if (companion !== undefined) delete next.keys[companion]
  for (const [name, role] of Object.entries(next.roles)) {
    const held = role.keyids.length
    role.keyids = role.keyids.filter((one) => one !== keyid)
    const optional = name === 'technician' || name === 'agent'
    const left = new Set(role.keyids.map((one) => personOf(next, one))).size
    if (role.keyids.length < held && left < role.threshold && !optional) {
      return refuse('NOT_ENOUGH_KEYS', `role ${name} would be left with ${left} of ${role.threshold} people`)
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
  const sound = rootSchema.safeParse(next)
  if (!sound.success) {
    const why = sound.error.issues[0]?.message ?? 'wrong form'
    return refuse('MALFORMED', `the next trust root would contradict itself: ${why}`)
  }
  const envelope = sealEnvelope(rootPayloadType, sound.data, signers)
  const opened = openNextRoot(current, envelope, verify)
  return opened.ok ? accept(envelope) : opened
}

const toRootKeys = ({ keyid, public: key, name, companion }: PublicKey): TrustRoot['keys'] =>
  companion === undefined
    ? { [keyid]: { scheme: 'ed25519', public: key, name } }
    : {
        [keyid]: { scheme: 'ed25519', public: key, name, companion: companion.keyid },
        [companion.keyid]: { scheme: 'ml-dsa-65', public: companion.public, name },
      }
