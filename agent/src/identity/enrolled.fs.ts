/**
 * What the control centre gave this agent when it was enrolled or its certificate was renewed, in one file: a power cut
 * leaves all of the old one or all of the new one. Nothing in it is secret.
 */

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeDurably } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { enrolmentSchema } from '@imlma/protocol/trust'
import { nameSchema, sha256Schema } from '@imlma/protocol/wire'
import { identityFolderOf } from './signing-key.fs.ts'

const enrolledSchema = enrolmentSchema.omit({ roots: true }).extend({
  site: nameSchema,
  agent: nameSchema,
  /** Of the gateway listener, where the certificate is renewed. */
  gateway: z.url({ protocol: /^https$/ }).max(512),
  /** SHA-256 of the token's secret: the same token at the next start asks for nothing. */
  token: sha256Schema,
  /** Digest of the first trust root, as the token named it. */
  root: sha256Schema,
})
export type Enrolled = Readonly<z.infer<typeof enrolledSchema>>

const pathOf = (dataDir: string): string => join(identityFolderOf(dataDir), 'enrolment.json')

/** Undefined where this agent was never enrolled. Throws `Failure` IDENTITY_BROKEN. */
export const readEnrolled = async (dataDir: string): Promise<Enrolled | undefined> => {
  const path = pathOf(dataDir)
  try {
    return enrolledSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new Failure('IDENTITY_BROKEN', `${path} is not intact`, {
      cause,
      hint: 'restore the file, or delete it and enrol this gateway anew: imlma pki token --agent NAME at the control centre',
    })
  }
}

/** Durable on return. The folder is there: the keys lie in it. Throws `Failure` NO_SPACE, WRITE_FAILED. */
export const writeEnrolled = (dataDir: string, enrolled: Enrolled): Promise<void> =>
  writeDurably(pathOf(dataDir), `${JSON.stringify(enrolled, null, 2)}\n`)

/** When the file was last replaced (epoch ms); undefined where there is none. */
export const statEnrolled = async (dataDir: string): Promise<number | undefined> => {
  const found = await stat(pathOf(dataDir)).catch(() => undefined)
  return found?.mtimeMs
}
