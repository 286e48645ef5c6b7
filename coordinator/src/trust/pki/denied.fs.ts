/**
 * Serials that are believed no more. Each denial is a file of its own, `denied/<serial>.json`, so that the command line
 * and the control centre may deny at the same time; `denied.json` is all of them in one, for those who watch.
 */

import { randomUUID } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { syncFolder, writeDurably } from '@imlma/protocol/node'
import { nameSchema, epochMsSchema } from '@imlma/protocol/wire'
import { writeOnce } from '../write-once.fs.ts'
import { pkiBroken, readDocument } from './files.fs.ts'

export const serialSchema = z.string().regex(/^[0-9a-f]{32}$/)

const denialSchema = z.object({
  v: z.literal(1),
  serial: serialSchema,
  agent: nameSchema.nullable(),
  reason: z.string().min(1).max(200),
  at: epochMsSchema,
})
export type Denial = Readonly<Omit<z.infer<typeof denialSchema>, 'v'>>

const listSchema = z.object({ v: z.literal(1), serials: z.array(serialSchema) })

/** True for what may stand in a certificate of ours, in small letters. */
export const isSerial = (text: string): boolean => serialSchema.safeParse(text).success

/** Durable on return; a serial that is denied already keeps its first reason. */
export const writeDenial = async (folder: string, denial: Denial): Promise<void> => {
  const document = denialSchema.parse({ v: 1, ...denial })
  await writeOnce(join(folder, 'denied', `${denial.serial}.json`), `${JSON.stringify(document)}\n`, 0o644)
  await gatherDenials(folder)
}

/** Rewrites the list until it says what the folder says: whoever is last to write looks again after it has written. */
export const gatherDenials = async (folder: string): Promise<void> => {
  await mkdir(join(folder, 'denied'), { recursive: true })
  for (;;) {
    const serials = await serialsIn(folder)
    const listed = await readDocument(listPathOf(folder), listSchema)
    if (listed !== undefined && listed.serials.join() === serials.join()) return
    // A draft of its own: two that write at once in one process would take each other's away.
    const draft = `${listPathOf(folder)}.${randomUUID()}`
    await writeDurably(draft, `${JSON.stringify({ v: 1, serials })}\n`)
    await rename(draft, listPathOf(folder))
    await syncFolder(folder)
  }
}

export const readDenials = async (folder: string): Promise<readonly Denial[]> => {
  const denials: Denial[] = []
  for (const serial of await serialsIn(folder)) {
    const denial = await readDocument(join(folder, 'denied', `${serial}.json`), denialSchema)
    if (denial !== undefined) denials.push(denial)
  }
  return denials.toSorted((a, b) => a.at - b.at)
}

/**
 * The list as it is at each call: one look at the file (2 µs), read again only when it has been replaced. Throws `Failure`
 * PKI_BROKEN where it cannot be read: without it nobody could be refused.
 */
export const openDeniedList = (folder: string): (() => ReadonlySet<string>) => {
  const path = listPathOf(folder)
  let known: { readonly mark: string; readonly serials: ReadonlySet<string> } | undefined
  return () => {
    try {
      const { ino, mtimeMs, size } = statSync(path)
      const mark = `${ino} ${mtimeMs} ${size}`
      if (known?.mark !== mark) {
        known = { mark, serials: new Set(listSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).serials) }
      }
      return known.serials
    } catch (cause) {
      throw pkiBroken(path, 'cannot be read', cause)
    }
  }
}

const listPathOf = (folder: string): string => join(folder, 'denied.json')

const serialsIn = async (folder: string): Promise<readonly string[]> => {
  const names = await readdir(join(folder, 'denied')).catch(() => [])
  return names.flatMap((name) => /^([0-9a-f]{32})\.json$/.exec(name)?.[1] ?? []).toSorted()
}
