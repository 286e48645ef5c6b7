/**
 * The trust of a site: made once at the first start, loaded and verified at every other. A start that was cut off
 * is completed by the next one, with the keys that are there already.
 */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '@imlma/protocol/result'
import {
  rootPayloadType,
  sealEnvelope,
  type KeyScheme,
  type Role,
  type Signer,
  type TrustRoot,
} from '@imlma/protocol/trust'
import { newKey, readKeyFile, toSigner, writeKeyFile, type KeyFile } from './keys.fs.ts'
import { firstRoot, type PublicKey } from './next-root.ts'
import { openRootChain, type RootChain } from './roots.fs.ts'
import { writeOnce } from './write-once.fs.ts'

export interface Trust {
  readonly chain: RootChain
  /** The keys of the root in force; another one after a rotation that `refresh` has found. */
  readonly release: Signer
  readonly director: Signer
  /** Certifies the signing keys of agents; undefined at a site whose root names no such key, or where it is kept elsewhere. */
  readonly agent: Signer | undefined
  /** True when this call made it. */
  readonly created: boolean
  /** Finds roots that another process has added, and the keys that they name. Throws like `establishTrust`. */
  readonly refresh: () => Promise<void>
}

interface EstablishOptions {
  readonly now: number
  /** Technicians of the first root; later ones are added by `addTechnician`. */
  readonly technicians?: readonly PublicKey[]
  /** Ten years: gateways are in the field for longer than anyone plans, and an expired root stops every update. */
  readonly rootValidityMs?: number
  /** Of the first root's keys, all of which must then sign with each; Ed25519 alone where left out. */
  readonly schemes?: readonly KeyScheme[]
}

export const keyPathOf = (folder: string, role: Role): string => join(folder, 'keys', `${role}.json`)
/** Where a rotation leaves the new key: beside the old one, which counts until the new root does. */
export const rotatedKeyPathOf = (folder: string, role: Role, keyid: string): string =>
  join(folder, 'keys', `${role}-${keyid.slice(0, 16)}.json`)
export const rootsFolderOf = (folder: string): string => join(folder, 'roots')

/**
 * `folder` is `<dataDir>/trust`. Throws `Failure` TRUST_BROKEN, KEY_MISSING, KEY_EXPOSED, KEY_UNREADABLE, KEY_NOT_IN_ROOT.
 * The root key may be kept elsewhere after the first start: only a new root needs it.
 */
export const establishTrust = async (folder: string, options: EstablishOptions): Promise<Trust> => {
  const created = (await readdir(rootsFolderOf(folder)).catch(() => [])).length === 0
  if (created) await create(folder, options)
  const chain = await openRootChain(rootsFolderOf(folder))
  const loadAll = async () => {
    const root = chain.current()
    const [release, director, agent] = await Promise.all([
      load(folder, 'release', root),
      load(folder, 'director', root),
      findSigner(folder, 'agent', root),
    ])
    return { version: root.version, release, director, agent }
  }
  let loaded = await loadAll()
  return {
    chain,
    created,
    get release() {
      return loaded.release
    },
    get director() {
      return loaded.director
    },
    get agent() {
      return loaded.agent
    },
    refresh: async () => {
      await chain.refresh()
      if (chain.current().version !== loaded.version) loaded = await loadAll()
    },
  }
}

const create = async (
  folder: string,
  { now, technicians = [], rootValidityMs = 3_650 * 86_400_000, schemes = ['ed25519'] }: EstablishOptions,
): Promise<void> => {
  const [root, release, director, agent] = await Promise.all([
    findOrCreate(folder, 'root', schemes),
    findOrCreate(folder, 'release', schemes),
    findOrCreate(folder, 'director', schemes),
    findOrCreate(folder, 'agent', schemes),
  ])
  const document = firstRoot({ root, release, director, agent }, technicians, now + rootValidityMs, schemes)
  const envelope = sealEnvelope(rootPayloadType, document, [toSigner(root)])
  // Where another process was faster, its root is the one that is loaded.
  await writeOnce(join(rootsFolderOf(folder), '1.json'), `${JSON.stringify(envelope)}\n`, 0o644)
}

/** The role's key in the data directory, made where there is none. */
export const findOrCreate = async (
  folder: string,
  role: Role,
  schemes: readonly KeyScheme[],
): Promise<KeyFile> => {
  const path = keyPathOf(folder, role)
  try {
    return await readKeyFile(path)
  } catch (cause) {
    if (!(cause instanceof Failure && cause.code === 'KEY_MISSING')) throw cause
  }
  const key = newKey(role, role, schemes)
  await writeKeyFile(path, key)
  return key
}

const load = async (folder: string, role: 'release' | 'director', root: TrustRoot): Promise<Signer> => {
  const signer = await findSigner(folder, role, root)
  if (signer !== undefined) return signer
  await readKeyFile(keyPathOf(folder, role)) // its own failures tell more
  throw new Failure(
    'KEY_NOT_IN_ROOT',
    `${keyPathOf(folder, role)} does not hold the role ${role} in trust root version ${root.version}`,
    {
      hint: 'agents would refuse what it signs: restore the key that belongs to this trust root',
    },
  )
}

const findSigner = async (folder: string, role: Role, root: TrustRoot): Promise<Signer | undefined> => {
  const found = await findKeyFile(folder, role, root)
  return found === undefined ? undefined : toSigner(found.key)
}

/** The key below `keys/` that holds the role in `root`: the one named after the role, or one that a rotation made. */
export const findKeyFile = async (
  folder: string,
  role: Role,
  root: TrustRoot,
): Promise<{ readonly path: string; readonly key: KeyFile } | undefined> => {
  const { keyids } = root.roles[role]
  const paths = [keyPathOf(folder, role), ...keyids.map((keyid) => rotatedKeyPathOf(folder, role, keyid))]
  for (const path of paths) {
    const key = await readKeyFile(path).catch((cause: unknown) => {
      if (cause instanceof Failure && cause.code === 'KEY_MISSING') return undefined
      throw cause
    })
    if (key !== undefined && keyids.includes(key.keyid)) return { path, key }
  }
  return undefined
}
