/**
 * The log on disk: a file that is set aside when it is full, and a few of those. What was logged before the last power
 * cut can be read on a gateway without a journal, and it never takes more than it was given.
 *
 *   agent.log (being written) → agent.1.log → … → agent.3.log → gone
 */

import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export interface LogFile {
  readonly write: (line: string) => void
  readonly close: () => void
}

interface Options {
  readonly folder: string
  /** Bytes of all files together. */
  readonly bytesMax: number
}

/** With one that is written, four: at the moment of rotation three quarters of the log are kept. */
const filesKept = 3

/** A full or read-only disk loses lines of this file, and nothing else: the log goes to standard error as well. */
export const openLogFile = ({ folder, bytesMax }: Options): LogFile => {
  const path = (index: number): string => join(folder, index === 0 ? 'agent.log' : `agent.${index}.log`)
  const fileBytesMax = Math.floor(bytesMax / (filesKept + 1))
  let file: number | undefined
  let bytes = 0

  const open = (): void => {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    file = openSync(path(0), 'a', 0o600)
    bytes = fstatSync(file).size
  }
  const close = (): void => {
    if (file !== undefined) closeSync(file)
    file = undefined
  }
  const rotate = (): void => {
    close()
    for (let index = filesKept; index > 0; index -= 1) {
      try {
        renameSync(path(index - 1), path(index))
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
      }
    }
    open()
  }

  return {
    write: (line) => {
      try {
        if (file === undefined) open()
        const length = Buffer.byteLength(line)
        if (bytes > 0 && bytes + length > fileBytesMax) rotate()
        // One line larger than a file is cut: the bound holds.
        const cut = length > fileBytesMax ? `${line.slice(0, Math.floor(fileBytesMax / 4))}\n` : line
        bytes += writeSync(file as number, cut)
      } catch {
        close()
      }
    },
    close,
  }
}
