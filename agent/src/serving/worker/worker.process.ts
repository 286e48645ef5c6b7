/**
 * A process of its own for one model: starts `bin/inference-worker.mjs`, hands it rows, takes its answers, ends it.
 *
 * Why a process, and one for each loaded version. A native crash of the runtime and the kernel's out-of-memory killer
 * end a whole process, threads and all, and a run that hangs in native code cannot be stopped in a thread:
 * `worker.terminate()` waits for it. Measured (24-64-64-1, two cores): one row 50 to 90 µs across the boundary, 12 µs in
 * process; 1,000 rows +60 µs. Memory moves rather than grows: the runtime's pages leave the agent, and the second Node
 * costs 10 MB that it shares with nobody. A replaced version takes all its memory along.
 *
 * Rows go through a nameless file in memory, the channel says only that they are there; hence one run at a time.
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { quantilesOf, type Contract } from '@imlma/protocol/manifest'
import { Failure, invariant } from '@imlma/protocol/result'
import type { TensorDescription } from '../contract.ts'
import { sessionOptions } from '../session-options.ts'

export interface Worker {
  readonly pid: number
  readonly inputs: readonly TensorDescription[]
  readonly outputs: readonly TensorDescription[]
  /** One at a time. Throws `Failure` RUN_FAILED where the model refuses; rejects with WORKER_LOST where it ends. */
  readonly run: (
    features: Float32Array,
    rows: number,
    into: Float32Array,
    quantilesInto?: Float32Array,
  ) => Promise<void>
  readonly kill: () => void
  /** Resolves with how it ended: a signal, or an exit code and its last words. */
  readonly ended: Promise<string>
}

interface WorkerOptions {
  /** Bytes that the model may allocate. */
  readonly memoryBytesMax: number
  /** Milliseconds until it has loaded. */
  readonly loadMsMax: number
}

/** What V8 reserves before it has done anything: it counts as allocated, and is not resident. */
const reservedBytes = 640 * 1_048_576

const { execArgv, env } = createRequire(import.meta.url)('../../../bin/small.json') as {
  readonly execArgv: readonly string[]
  readonly env: Readonly<Record<string, string>>
}
/**
 * Unlike the agent, a worker keeps the blocks between the layers of its model: mapping a quarter of a megabyte anew for
 * each run of 1,000 rows takes longer than computing it.
 */
const keepBlocks = { MALLOC_MMAP_THRESHOLD_: '4194304', MALLOC_TRIM_THRESHOLD_: '8388608' }
const program = fileURLToPath(new URL('../../../bin/inference-worker.mjs', import.meta.url))

/**
 * The shell sets the limit and becomes the worker. `setpriv`, where there is one, has the kernel end it with the agent:
 * what hangs in native code does not notice that its channel has closed.
 */
const birth = `ulimit -d "$1" 2>/dev/null; shift
if command -v setpriv >/dev/null; then exec setpriv --pdeathsig KILL "$@"; fi
exec "$@"`

const headerBytes = 16
const lastWordsMax = 2_000

const tensorSchema = z.object({
  name: z.string(),
  type: z.string(),
  shape: z.array(z.union([z.number(), z.string()])),
})
const loadedSchema = z.object({ inputs: z.array(tensorSchema), outputs: z.array(tensorSchema) })

/** Throws `Failure` LOAD_FAILED. */
export const startWorker = async (
  path: string,
  contract: Contract,
  { memoryBytesMax, loadMsMax }: WorkerOptions,
): Promise<Worker> => {
  const memory = openMemory()
  const limitKb = Math.ceil((reservedBytes + memoryBytesMax) / 1_024)
  const node = [process.execPath, ...execArgv, program, JSON.stringify(toTask(path, contract))]
  const child = spawn('/bin/sh', ['-c', birth, 'sh', String(limitKb), ...node], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', memory.file],
    // No secret of the agent's environment.
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env, ...keepBlocks },
  })
  const channel = child.stdio[3] as Socket
  const ended = watchEnd(child, memory)
  const answers = readAnswers(channel, ended)
  const late = setTimeout(() => child.kill('SIGKILL'), loadMsMax)
  try {
    const [status, length] = await answers.next()
    const text = textOf(memory, length)
    if (status !== 0) throw new Error(text)
    const { inputs, outputs } = loadedSchema.parse(JSON.parse(text))
    const run = createRun({ memory, channel, next: answers.next })
    return { pid: child.pid ?? 0, inputs, outputs, run, kill: () => child.kill('SIGKILL'), ended }
  } catch (cause) {
    child.kill('SIGKILL')
    await ended
    throw new Failure('LOAD_FAILED', cause instanceof Error ? cause.message : 'it does not load', { cause })
  } finally {
    clearTimeout(late)
  }
}

/** Once closed, its number may be another file's. */
interface Memory {
  readonly file: number
  isOpen: boolean
}

interface Between {
  readonly memory: Memory
  readonly channel: Socket
  readonly next: () => Promise<readonly [status: number, length: number]>
}

const createRun = ({ memory, channel, next }: Between): Worker['run'] => {
  const header = Buffer.alloc(headerBytes)
  let running = false
  return async (features, rows, into, quantilesInto) => {
    invariant(!running, 'a worker runs one thing at a time')
    running = true
    try {
      move(writeSync, memory, features, 0)
      header.writeUInt32LE(rows, 0)
      header.writeUInt32LE(quantilesInto === undefined ? 0 : 1, 4)
      channel.write(header)
      const [status, length] = await next()
      if (status !== 0) throw new Failure('RUN_FAILED', textOf(memory, length))
      move(readSync, memory, into, 0)
      if (quantilesInto !== undefined) move(readSync, memory, quantilesInto, into.byteLength)
    } finally {
      running = false
    }
  }
}

const toTask = (path: string, contract: Contract) => ({
  path,
  options: sessionOptions,
  input: contract.inputs[0]?.name,
  columns: contract.inputs[0]?.shape.at(-1),
  output: contract.outputs[0]?.name,
  horizon: contract.horizon,
  quantileOutput: contract.outputs[1]?.name,
  quantileCount: quantilesOf(contract).length,
})

/** A file without a name, gone with the last of the two that hold it. In memory, so that rows never wear the flash. */
const openMemory = (): Memory => {
  const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const path = join(folder, `imlma-${randomUUID()}`)
  const file = openSync(path, 'wx+', 0o600)
  rmSync(path)
  return { file, isOpen: true }
}

const move = (
  way: (file: number, bytes: Uint8Array, from: number, length: number, place: number) => number,
  { file, isOpen }: Memory,
  values: Float32Array,
  place: number,
): void => {
  if (!isOpen) throw new Failure('WORKER_LOST', 'its worker has ended')
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  for (let at = 0; at < bytes.length;) {
    const moved = way(file, bytes, at, bytes.length - at, place + at)
    if (moved === 0) throw new Failure('RUN_FAILED', 'an answer is shorter than its rows')
    at += moved
  }
}

const textOf = ({ file, isOpen }: Memory, length: number): string => {
  const bytes = Buffer.alloc(isOpen ? Math.min(length, 65_536) : 0)
  if (isOpen) readSync(file, bytes, 0, bytes.length, 0)
  return bytes.toString()
}

const watchEnd = (child: ChildProcess, memory: Memory): Promise<string> => {
  let words = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-lastWordsMax)
  })
  return new Promise<string>((resolve) => {
    child.once('error', (cause) => resolve(cause.message))
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `code ${code}: ${words.trim()}` : `signal ${signal}`),
    )
  }).finally(() => {
    memory.isOpen = false
    closeSync(memory.file)
  })
}

/** One answer for each question; the end of the worker is the answer to the one that is open. */
const readAnswers = (channel: Socket, ended: Promise<string>) => {
  let received = Buffer.alloc(0)
  let open:
    { resolve: (words: readonly [number, number]) => void; reject: (cause: Failure) => void } | undefined
  let lost: Failure | undefined
  // What breaks here breaks because the worker ends, and that is told by `ended`.
  channel.on('error', () => undefined)
  channel.on('data', (bytes) => {
    received = received.length === 0 ? bytes : Buffer.concat([received, bytes])
    if (received.length < headerBytes) return
    const words = [received.readUInt32LE(0), received.readUInt32LE(4)] as const
    received = received.subarray(headerBytes)
    open?.resolve(words)
    open = undefined
  })
  void ended.then((how) => {
    lost = new Failure('WORKER_LOST', `its worker ended with ${how}`)
    open?.reject(lost)
  })
  return {
    next: () =>
      new Promise<readonly [number, number]>((resolve, reject) => {
        if (lost === undefined) open = { resolve, reject }
        else reject(lost)
      }),
  }
}
