/** A technician's key on this machine: made, read, enrolled in the trust root, used to sign an order. */

import { randomUUID } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from '@imlma/protocol/node'
import { accept, Failure, refuse } from '@imlma/protocol/result'
import { cosignEnvelope, openEnvelope, parseEnvelope } from '@imlma/protocol/trust'
import { commandPayloadType, commandSchema } from '@imlma/protocol/wire'
import { addTechnician } from '../trust/add-technician.fs.ts'
import { sealCommand, toCommand } from '../trust/command.ts'
import { claimCounter, nextCounter } from '../trust/counter.fs.ts'
import { newKey, readKeyFile, toSigner, writeKeyFile } from '../trust/keys.fs.ts'
import type { Technician } from './command.ts'

export const createTechnician = (): Technician => ({
  create: async (path, name, schemes) => {
    const key = newKey('technician', name, schemes)
    await writeKeyFile(path, key)
    return key
  },
  read: readKeyFile,
  discard: (path) => rm(path, { force: true }),
  enrol: (dataDir, key) => addTechnician(join(dataDir, 'trust'), key),
  sign: async (keyPaths, order) => {
    const keys = await Promise.all(keyPaths.map(readKeyFile))
    const now = Date.now()
    const commandId = randomUUID()
    const counters = await Promise.all(keyPaths.map((path) => nextCounter(path, now)))
    const counter = Math.max(...counters)
    // A key whose own counter was lower goes on from the one that is signed.
    for (const [index, path] of keyPaths.entries()) {
      if ((counters[index] ?? counter) < counter) await claimCounter(path, counter)
    }
    const command = toCommand(order, { now, commandId, counter })
    return {
      commandId,
      envelope: sealCommand(command, ...keys.map(toSigner)),
      by: keys.map(({ name }) => name),
    }
  },
  readPending: async (path) => {
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new Failure('FILE_UNREADABLE', `${path} cannot be read`, { cause, hint: 'check its name' })
    })
    const envelope = parseEnvelope(bytes)
    if (!envelope.ok) return envelope
    const command = openEnvelope(envelope.value, { payloadType: commandPayloadType, schema: commandSchema })
    return command.ok ? accept({ envelope: envelope.value, command: command.value }) : command
  },
  writePending: (path, envelope) => writeDurably(path, `${JSON.stringify(envelope)}\n`),
  approve: async (keyPath, { envelope, command }) => {
    const key = await readKeyFile(keyPath)
    if (Date.now() > command.expiresAt) {
      return refuse(
        'EXPIRED',
        `the command expired ${new Date(command.expiresAt).toISOString()}`,
        'have it given anew',
      )
    }
    const claimed = await claimCounter(keyPath, command.counter)
    if (!claimed.ok) return claimed
    return accept({ envelope: cosignEnvelope(envelope, [toSigner(key)]), by: key.name })
  },
})
