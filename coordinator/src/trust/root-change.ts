/**
 * What a person can change about the trust root, and who must sign the change. Pure: the next version is worked out here,
 * signed and written elsewhere (`root-office.fs.ts`).
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  openEnvelope,
  personOf,
  readSignatures,
  rootPayloadType,
  rootSchema,
  type Envelope,
  type KeyScheme,
  type Role,
  type TrustRoot,
  type VerifySignature,
} from '@imlma/protocol/trust'
import { withKey, withoutKey, type PublicKey } from './next-root.ts'

export type RootChange =
  | { readonly kind: 'add'; readonly role: Role; readonly key: PublicKey }
  /** `old` leaves the role, `key` takes its place. */
  | { readonly kind: 'rotate'; readonly role: Role; readonly old: string; readonly key: PublicKey }
  /** Out of every role. */
  | { readonly kind: 'revoke'; readonly keyid: string }
  | { readonly kind: 'set'; readonly role?: Role; readonly terms?: RoleTerms; readonly expiresAt?: number }

export interface RoleTerms {
  readonly threshold?: number
  readonly schemes?: readonly KeyScheme[]
  readonly groupThreshold?: number
}

/** The next version. Refused with UNKNOWN_KEY, NOT_ENOUGH_KEYS, or MALFORMED where it would contradict itself. */
export const changeRoot = (root: TrustRoot, change: RootChange): Result<TrustRoot> => {
  const next = applyChange(root, change)
  if (!next.ok) return next
  const parsed = rootSchema.safeParse(next.value)
  if (!parsed.success) return refuse('MALFORMED', parsed.error.issues[0]?.message ?? 'wrong form')
  const short = change.kind === 'revoke' ? undefined : findShort(parsed.data)
  return short ?? accept(parsed.data)
}

const applyChange = (root: TrustRoot, change: RootChange): Result<TrustRoot> => {
  switch (change.kind) {
    case 'add':
      return accept(withKey(root, change.role, change.key))
    case 'rotate':
      return rotate(root, change)
    case 'revoke':
      return Object.hasOwn(root.keys, change.keyid) ? withoutKey(root, change.keyid) : unknown(change.keyid)
    case 'set': {
      const { role, terms = {}, expiresAt = root.expiresAt } = change
      const { schemes, ...numbers } = terms
      const said = { ...numbers, ...(schemes === undefined ? {} : { schemes: [...schemes] }) }
      const held =
        role === undefined ? root.roles : { ...root.roles, [role]: { ...root.roles[role], ...said } }
      return accept({ ...root, version: root.version + 1, expiresAt, roles: held })
    }
  }
}

const rotate = (
  root: TrustRoot,
  { role, old, key }: Extract<RootChange, { kind: 'rotate' }>,
): Result<TrustRoot> => {
  if (!root.roles[role].keyids.includes(old)) return unknown(old, ` in the role ${role}`)
  const next = structuredClone(withKey(root, role, key))
  next.roles[role].keyids = next.roles[role].keyids.filter((keyid) => keyid !== old || keyid === key.keyid)
  return accept(withoutUnused(next))
}

/** A key that holds no role any more is nobody's. */
const withoutUnused = (root: TrustRoot): TrustRoot => {
  const held = new Set(Object.values(root.roles).flatMap(({ keyids }) => keyids))
  const companions = new Set([...held].map((keyid) => root.keys[keyid]?.companion))
  const kept = Object.entries(root.keys).filter(([keyid]) => held.has(keyid) || companions.has(keyid))
  return { ...root, keys: Object.fromEntries(kept) }
}

/** A role that somebody holds must be able to speak; one that nobody holds is silent on purpose. */
const findShort = (root: TrustRoot): Result<never> | undefined => {
  for (const [role, { keyids, threshold }] of Object.entries(root.roles)) {
    const people = new Set(keyids.map((keyid) => personOf(root, keyid))).size
    if (people > 0 && people < threshold) {
      return refuse(
        'NOT_ENOUGH_KEYS',
        `role ${role} would need ${threshold} people and have ${people}`,
        'add holders first (imlma root add); two keys of one name are one person',
      )
    }
  }
  return undefined
}

const unknown = (keyid: string, where = '') =>
  refuse('UNKNOWN_KEY', `the trust root knows no key ${keyid}${where}`, 'imlma root show lists the keys')

/** One side of a root's signatures: the old root's people, or the new one's. */
export interface RootSignatures {
  readonly of: 'old' | 'new'
  readonly needed: number
  readonly signed: readonly string[]
  /** Names of those who have not signed. */
  readonly open: readonly string[]
}

/** How far a proposed root has come; it holds once every side has as many as it needs. */
export const rootSignatures = (
  current: TrustRoot | undefined,
  envelope: Envelope,
  verify: VerifySignature,
): Result<readonly RootSignatures[]> => {
  const proposed = openEnvelope(envelope, { payloadType: rootPayloadType, schema: rootSchema })
  if (!proposed.ok) return proposed
  const sides = [
    ...(current === undefined ? [] : [['old', current] as const]),
    ['new', proposed.value] as const,
  ]
  return accept(
    sides.map(([of, root]) => {
      const { keyids, threshold } = root.roles.root
      const { persons } = readSignatures(envelope, { root, role: 'root', verify })
      const open = keyids.filter((keyid) => !persons.includes(personOf(root, keyid)))
      const names = open.map((keyid) => root.keys[keyid]?.name ?? keyid.slice(0, 12))
      return { of, needed: threshold, signed: persons, open: [...new Set(names)] }
    }),
  )
}

export const isComplete = (sides: readonly RootSignatures[]): boolean =>
  sides.every(({ needed, signed }) => signed.length >= needed)
