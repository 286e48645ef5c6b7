/** A technician's key on this machine: made, read, enrolled in the trust root, used to sign an order. */

import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { addTechnician } from '../trust/add-technician.fs.ts'
import { sealCommand, toCommand } from '../trust/command.ts'
import { nextCounter } from '../trust/counter.fs.ts'
import { newKey, readKeyFile, toSigner, writeKeyFile } from '../trust/keys.fs.ts'
import type { Technician } from './command.ts'

export const createTechnician = (): Technician => ({
  create: async (path, name) => {
    const key = newKey('technician', name)
    await writeKeyFile(path, key)
    return key
  },
  read: readKeyFile,
  discard: (path) => rm(path, { force: true }),
  enrol: (dataDir, key) => addTechnician(join(dataDir, 'trust'), key),
  sign: async (keyPath, order) => {
    const key = await readKeyFile(keyPath)
    const now = Date.now()
    const commandId = randomUUID()
    const counter = await nextCounter(keyPath, now)
    const envelope = sealCommand(toCommand(order, { now, commandId, counter }), toSigner(key))
    return { commandId, envelope, by: key.name }
  },
})
