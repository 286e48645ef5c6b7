/** The trust root as the commands see it: the data directory's chain, and the key files that people name. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { toKeyId } from '@imlma/protocol/node'
import { accept, Failure } from '@imlma/protocol/result'
import {
  base64Schema,
  fromBase64,
  openEnvelope,
  parseEnvelope,
  publicKeyLengths,
  rootPayloadType,
  rootSchema,
} from '@imlma/protocol/trust'
import { findOrCreate, rotatedKeyPathOf } from '../trust/establish.fs.ts'
import { newKey, readKeyFile, toSigner, writeKeyFile } from '../trust/keys.fs.ts'
import { firstRoot, withKey, type PublicKey } from '../trust/next-root.ts'
import { approveRelease, readPendingRelease } from '../trust/release-signatures.fs.ts'
import { createRoot, proposeRoot, readRoot, signRoot } from '../trust/root-office.fs.ts'
import type { FirstRoot, Roots } from './command.ts'

const trustOf = (dataDir: string): string => join(dataDir, 'trust')

export const createRoots = (): Roots => ({
  read: (dataDir) => readRoot(trustOf(dataDir)),
  publicKey: readPublicKey,
  makeKey: async (dataDir, role, root) => {
    const { keyids, schemes = ['ed25519'] } = root.roles[role]
    const name = root.keys[keyids[0] ?? '']?.name ?? role
    const key = newKey(role, name === '' ? role : name, schemes)
    await writeKeyFile(rotatedKeyPathOf(trustOf(dataDir), role, key.keyid), key)
    return key
  },
  propose: (dataDir, change, options) => proposeRoot(trustOf(dataDir), change, options),
  sign: (dataDir, path, keyPaths) => signRoot(trustOf(dataDir), path, keyPaths),
  proposed: async (path) => {
    const envelope = parseEnvelope(await readGiven(path))
    return envelope.ok
      ? openEnvelope(envelope.value, { payloadType: rootPayloadType, schema: rootSchema })
      : envelope
  },
  create: async (dataDir, first) => create(trustOf(dataDir), first),
  pendingRelease: async (dataDir, model, version) => {
    const waiting = await readPendingRelease(trustOf(dataDir), model, version)
    return waiting.ok ? accept(waiting.value.manifest) : waiting
  },
  approveRelease: (dataDir, model, version, keyPath) =>
    approveRelease(trustOf(dataDir), { model, version }, keyPath),
})

const create = async (folder: string, first: FirstRoot) => {
  const { schemes, groupThreshold } = first
  const [release, director, agent] = await Promise.all([
    findOrCreate(folder, 'release', schemes),
    findOrCreate(folder, 'director', schemes),
    findOrCreate(folder, 'agent', schemes),
  ])
  const given = await Promise.all(first.rootKeys.map(readPublicKey))
  const [root, ...more] = given.length > 0 ? given : [await findOrCreate(folder, 'root', schemes)]
  if (root === undefined) throw new Failure('KEY_MISSING', 'a trust root needs a root key')
  const technicians = await Promise.all(first.technicianKeys.map(readPublicKey))
  let document = firstRoot({ root, release, director, agent }, technicians, first.expiresAt, schemes)
  for (const key of more) document = withKey(document, 'root', key)
  for (const path of first.releaseKeys) document = withKey(document, 'release', await readPublicKey(path))
  const held = structuredClone(document.roles)
  for (const [role, threshold] of Object.entries(first.thresholds)) {
    held[role as keyof typeof held].threshold = threshold
  }
  if (groupThreshold !== undefined) held.technician.groupThreshold = groupThreshold
  const signers =
    first.rootKeys.length > 0
      ? await ownSigners(first.rootKeys)
      : [toSigner(await findOrCreate(folder, 'root', schemes))]
  return createRoot(folder, { ...document, roles: held }, { signers, out: first.out })
}

/** Of the root keys that were named, those whose secret is here; the others sign later. */
const ownSigners = async (paths: readonly string[]) => {
  const keys = await Promise.all(
    paths.map(async (path) => ((await isSecret(path)) ? readKeyFile(path) : undefined)),
  )
  return keys.flatMap((key) => (key === undefined ? [] : [toSigner(key)]))
}

const publicSchema = z.object({
  name: z.string().min(1).max(64),
  keyid: z.string(),
  public: base64Schema(publicKeyLengths.ed25519).length(publicKeyLengths.ed25519),
  companion: z.object({ keyid: z.string(), public: base64Schema(publicKeyLengths['ml-dsa-65']) }).optional(),
})

const isSecret = async (path: string): Promise<boolean> =>
  /"secret"\s*:/.test(new TextDecoder().decode(await readGiven(path)))

/** A key file, or what `imlma keys show --json` prints of one: enough to give somebody a role. */
const readPublicKey = async (path: string): Promise<PublicKey> => {
  if (await isSecret(path)) return readKeyFile(path)
  try {
    const key = publicSchema.parse(JSON.parse(new TextDecoder().decode(await readGiven(path))))
    const keys = [key, ...(key.companion === undefined ? [] : [key.companion])]
    if (keys.every((each) => toKeyId(fromBase64(each.public)) === each.keyid)) return key
  } catch (cause) {
    if (cause instanceof Failure) throw cause
  }
  throw new Failure('KEY_UNREADABLE', `${path} is no key`, {
    hint: 'a key file, or imlma keys show FILE --json',
  })
}

const readGiven = (path: string): Promise<Uint8Array> =>
  readFile(path).catch((cause: unknown) => {
    throw new Failure('KEY_MISSING', `${path} cannot be read`, { cause, hint: 'check its name' })
  })
