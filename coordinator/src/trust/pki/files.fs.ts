/** The files of the certificate authority: secrets that nobody else may have read, and small JSON documents. */

import { readFile, stat } from 'node:fs/promises'
import type { z } from 'zod'
import { Failure } from '@imlma/protocol/result'

/** Undefined where it is missing. Throws `Failure` KEY_EXPOSED where others can read it. */
export const readSecret = async (path: string): Promise<string | undefined> => {
  const found = await orMissing(stat(path))
  if (found === undefined) return undefined
  if ((found.mode & 0o077) === 0) return readFile(path, 'utf8')
  throw new Failure(
    'KEY_EXPOSED',
    `${path} can be read by others (mode ${(found.mode & 0o777).toString(8)})`,
    {
      hint: `chmod 600 ${path}, and replace the key if others may have read it`,
    },
  )
}

/** Undefined where it is missing. Throws `Failure` PKI_BROKEN where it is none of ours. */
export const readDocument = async <Document>(
  path: string,
  schema: z.ZodType<Document>,
): Promise<Document | undefined> => {
  const text = await orMissing(readFile(path, 'utf8'))
  if (text === undefined) return undefined
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw pkiBroken(path, 'is not intact', cause)
  }
}

export const pkiBroken = (path: string, message: string, cause?: unknown): Failure =>
  new Failure('PKI_BROKEN', `${path} ${message}`, {
    cause,
    hint: 'restore the folder trust/pki from a backup',
  })

export const orMissing = async <Value>(reading: Promise<Value>): Promise<Value | undefined> => {
  try {
    return await reading
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw cause
  }
}
