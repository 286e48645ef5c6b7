/**
 * The trust root that this agent was given by hand. It is stored at the first start; from then on the stored one and
 * what followed it hold, and an older file on the command line changes nothing.
 */

import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { verifySignature, writeDurably } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { openFirstRoot, parseEnvelope, type Envelope } from '@imlma/protocol/trust'

/**
 * The stored anchor at `path`, or the one of `given`, checked and then stored; undefined where there is neither: such
 * an agent sends readings and believes nobody. Throws `Failure` BAD_ROOT, WRITE_FAILED.
 */
export const openAnchor = async (path: string, given: string | undefined): Promise<Envelope | undefined> => {
  const stored = await readIfThere(path)
  if (stored !== undefined) return toEnvelope(stored, path)
  if (given === undefined) return undefined
  const bytes = await readFile(given).catch((cause: unknown) => {
    throw new Failure('BAD_ROOT', `${given} cannot be read`, {
      cause,
      hint: 'check the file that --root names',
    })
  })
  const envelope = toEnvelope(bytes, given)
  await storeAnchor(path, bytes)
  return envelope
}

/** Durable on return. */
export const storeAnchor = async (path: string, bytes: Uint8Array | string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true })
  await writeDurably(path, bytes)
}

/** Of a data directory. */
export const anchorPathOf = (dataDir: string): string => join(dataDir, 'trust', 'first-root.json')

const readIfThere = async (path: string): Promise<Uint8Array | undefined> => {
  try {
    return await readFile(path)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new Failure('BAD_ROOT', `${path} cannot be read`, { cause, hint: 'check the rights of --data-dir' })
  }
}

const toEnvelope = (bytes: Uint8Array, path: string): Envelope => {
  const envelope = parseEnvelope(bytes)
  const root = envelope.ok ? openFirstRoot(envelope.value, verifySignature) : envelope
  if (envelope.ok && root.ok) return envelope.value
  const why = root.ok ? '' : root.refusal.message
  throw new Failure('BAD_ROOT', `${path} is no trust root: ${why}`, {
    hint: 'take the root.json of the control centre; remove the file in --data-dir/trust to begin again',
  })
}
