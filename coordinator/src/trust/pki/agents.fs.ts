/**
 * What was issued to whom: `agents/<agent>.json`, written by the control centre alone, read by everybody. A certificate
 * that came of a new token takes the place of those before it, and these are denied when it is first used: a stolen
 * gateway is shut out by the one that replaces it, and not before that one works.
 */

import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeDurably } from '@imlma/protocol/node'
import { envelopeSchema } from '@imlma/protocol/trust'
import { epochMsSchema, nameSchema, sha256Schema } from '@imlma/protocol/wire'
import { readDenials, serialSchema, writeDenial } from './denied.fs.ts'
import { readDocument } from './files.fs.ts'

/** Certificates that have ended stay listed so long, for people who look back. */
const keptMs = 90 * 86_400_000
/** Live ones of one agent: a handful overlap while an agent renews and loses answers. */
export const liveCertificatesMax = 16

const certificateSchema = z.object({
  serial: serialSchema,
  /** SHA-256 of the public key (SubjectPublicKeyInfo). */
  key: sha256Schema,
  issuedAt: epochMsSchema,
  notAfter: epochMsSchema,
  /** Token by which it was enrolled; null for a renewal. */
  token: z.string().max(64).nullable(),
  /** The one that it is a renewal of; null for an enrolment. */
  renews: serialSchema.nullable(),
  /** Serials that are denied when it is first used, with what was renewed by them. */
  replaces: z.array(serialSchema),
  pem: z.string().max(8_192),
  signingKey: z.base64().length(44),
  certification: envelopeSchema,
})
export type IssuedCertificate = Readonly<z.infer<typeof certificateSchema>>

const recordSchema = z.object({
  v: z.literal(1),
  agent: nameSchema,
  certificates: z.array(certificateSchema),
})

/** Oldest first; empty for an agent that was never enrolled. */
export const readIssued = async (folder: string, agent: string): Promise<readonly IssuedCertificate[]> =>
  (await readDocument(pathOf(folder, agent), recordSchema))?.certificates ?? []

/** Durable on return. One writer at a time. */
export const addIssued = async (
  folder: string,
  agent: string,
  issued: IssuedCertificate,
  now: number,
): Promise<void> => {
  const before = (await readIssued(folder, agent)).filter(({ notAfter }) => notAfter + keptMs > now)
  await mkdir(join(folder, 'agents'), { recursive: true })
  const record = { v: 1, agent, certificates: [...before, issued] }
  await writeDurably(pathOf(folder, agent), `${JSON.stringify(recordSchema.parse(record))}\n`)
}

export const readAgents = async (folder: string): Promise<readonly string[]> => {
  const names = await readdir(join(folder, 'agents')).catch(() => [])
  return names.flatMap((name) => /^([A-Za-z0-9_-]{1,64})\.json$/.exec(name)?.[1] ?? []).toSorted()
}

/** Serials for which nothing is left to be done, kept in memory; a fleet has fewer. */
const settledMax = 20_000

/**
 * To be told of every connection that a certificate was accepted for, by whichever process; denies what it replaces. Costs
 * one look into a set from the second time on.
 */
export const createUseNotes = (
  folder: string,
  now: () => number,
): ((agent: string, serial: string) => Promise<void>) => {
  const settled = new Set<string>()
  return async (agent, serial) => {
    if (settled.has(serial)) return
    // Again until there is nothing left: a renewal by one of those may be on its way while they are denied.
    while ((await denyReplaced(folder, agent, serial, now())) > 0);
    if (settled.size >= settledMax) settled.clear()
    settled.add(serial)
  }
}

/** How many were denied by this call. */
const denyReplaced = async (folder: string, agent: string, serial: string, at: number): Promise<number> => {
  const issued = await readIssued(folder, agent)
  const replaced = new Set(issued.find((one) => one.serial === serial)?.replaces)
  if (replaced.size === 0) return 0
  // Oldest first, so that a renewal comes after what it renews.
  for (const one of issued) if (one.renews !== null && replaced.has(one.renews)) replaced.add(one.serial)
  const denied = new Set((await readDenials(folder)).map((denial) => denial.serial))
  const left = [...replaced].filter((one) => !denied.has(one))
  for (const one of left)
    await writeDenial(folder, { serial: one, agent, reason: `replaced by ${serial}`, at })
  return left.length
}

const pathOf = (folder: string, agent: string): string => join(folder, 'agents', `${agent}.json`)
