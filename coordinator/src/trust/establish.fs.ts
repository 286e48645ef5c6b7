/**
 * The trust of a site: made once at the first start, loaded and verified at every other. A start that was cut off
 * is completed by the next one, with the keys that are there already.
 */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '@imlma/protocol/result'
import { rootPayloadType, sealEnvelope, type Role, type Signer, type TrustRoot } from '@imlma/protocol/trust'
import { newKey, readKeyFile, toSigner, writeKeyFile, type KeyFile } from './keys.fs.ts'
import { firstRoot, type PublicKey } from './next-root.ts'
import { openRootChain, type RootChain } from './roots.fs.ts'
import { writeOnce } from './write-once.fs.ts'

export interface Trust {
  readonly chain: RootChain
  readonly release: Signer
  readonly director: Signer
  /** Certifies the signing keys of agents; undefined at a site whose root names no such key, or where it is kept elsewhere. */
  readonly agent?: Signer
  /** True when this call made it. */
  readonly created: boolean
}

interface EstablishOptions {
  readonly now: number
  /** Technicians of the first root; later ones are added by `addTechnician`. */
  readonly technicians?: readonly PublicKey[]
  /** Ten years: gateways are in the field for longer than anyone plans, and an expired root stops every update. */
  readonly rootValidityMs?: number
}

export const keyPathOf = (folder: string, role: Role): string => join(folder, 'keys', `${role}.json`)
export const rootsFolderOf = (folder: string): string => join(folder, 'roots')

/**
 * `folder` is `<dataDir>/trust`. Throws `Failure` TRUST_BROKEN, KEY_MISSING, KEY_EXPOSED, KEY_UNREADABLE, KEY_NOT_IN_ROOT.
 * The root key may be kept elsewhere after the first start: only a new root needs it.
 */
export const establishTrust = async (folder: string, options: EstablishOptions): Promise<Trust> => {
  const created = (await readdir(rootsFolderOf(folder)).catch(() => [])).length === 0
  if (created) await create(folder, options)
  const chain = await openRootChain(rootsFolderOf(folder))
  const [release, director] = await Promise.all([
    load(folder, 'release', chain.current()),
    load(folder, 'director', chain.current()),
  ])
  const agent = await loadIfHeld(folder, 'agent', chain.current())
  return { chain, release, director, created, ...(agent === undefined ? {} : { agent }) }
}

const create = async (
  folder: string,
  { now, technicians = [], rootValidityMs = 3_650 * 86_400_000 }: EstablishOptions,
): Promise<void> => {
  const [root, release, director, agent] = await Promise.all([
    findOrCreate(folder, 'root'),
    findOrCreate(folder, 'release'),
    findOrCreate(folder, 'director'),
    findOrCreate(folder, 'agent'),
  ])
  const document = firstRoot({ root, release, director, agent }, technicians, now + rootValidityMs)
  const envelope = sealEnvelope(rootPayloadType, document, [toSigner(root)])
  // Where another process was faster, its root is the one that is loaded.
  await writeOnce(join(rootsFolderOf(folder), '1.json'), `${JSON.stringify(envelope)}\n`, 0o644)
}

const findOrCreate = async (folder: string, role: Role): Promise<KeyFile> => {
  const path = keyPathOf(folder, role)
  try {
    return await readKeyFile(path)
  } catch (cause) {
    if (!(cause instanceof Failure && cause.code === 'KEY_MISSING')) throw cause
  }
  const key = newKey(role, role)
  await writeKeyFile(path, key)
  return key
}

const load = async (folder: string, role: 'release' | 'director', root: TrustRoot): Promise<Signer> => {
  const path = keyPathOf(folder, role)
  const key = await readKeyFile(path)
  if (root.roles[role].keyids.includes(key.keyid)) return toSigner(key)
  throw new Failure(
    'KEY_NOT_IN_ROOT',
    `${path} does not hold the role ${role} in trust root version ${root.version}`,
    {
      hint: 'agents would refuse what it signs: restore the key that belongs to this trust root',
    },
  )
}

/** The role's key where the root in force names it and its file is here. */
const loadIfHeld = async (folder: string, role: Role, root: TrustRoot): Promise<Signer | undefined> => {
  if (root.roles[role].keyids.length === 0) return undefined
  try {
    const key = await readKeyFile(keyPathOf(folder, role))
    return root.roles[role].keyids.includes(key.keyid) ? toSigner(key) : undefined
  } catch (cause) {
    if (cause instanceof Failure && cause.code === 'KEY_MISSING') return undefined
    throw cause
  }
}
