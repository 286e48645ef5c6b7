/**
 * The process in which one model runs. It loads the file that it is told, says what its tensors are, and then answers
 * runs one after the other until its channel closes. It knows no network, no other file and no secret: whatever the
 * model does to it is over when it ends. `agent/src/serving/worker/worker.process.ts` is the other side.
 *
 *   channel (fd 3)   four numbers each way: what is asked, and that it is done
 *   memory  (fd 4)   a nameless file in memory: features from its start on, then forecasts, quantiles or a message
 *
 * A thousand rows through a socket cost three times what the model costs; through the file they cost two copies.
 * Reading waits without an event loop: nothing else happens here. Plain JavaScript like the launcher, and for its
 * reason: a process that strips types keeps 18 MB for it.
 */

import { readSync, writeFileSync, writeSync } from 'node:fs'
import process from 'node:process'
import { InferenceSession, Tensor } from 'onnxruntime-node'

const channel = 3
const memory = 4
const ok = 0
const failed = 1
const { path, options, input, columns, output, horizon, quantileOutput, quantileCount } = JSON.parse(
  process.argv[2] ?? '{}',
)

// Where memory runs out, the kernel takes this process before any other.
try {
  writeFileSync('/proc/self/oom_score_adj', '1000')
} catch {
  // The limit that this process was born with still holds.
}

const header = new Uint32Array(4)
const headerBytes = new Uint8Array(header.buffer)

/** The next question; false where the other side has gone. */
const asked = () => {
  for (let at = 0; at < headerBytes.length;) {
    const read = readSync(channel, headerBytes, at, headerBytes.length - at, null)
    if (read === 0) return false
    at += read
  }
  return true
}
const answer = (/** @type {readonly number[]} */ ...words) => {
  header.set(words)
  for (let at = 0; at < headerBytes.length;) {
    at += writeSync(channel, headerBytes, at, headerBytes.length - at)
  }
}

/** All of the bytes, from or to this place of the memory. */
const move = (
  /** @type {typeof readSync | typeof writeSync} */ way,
  /** @type {Uint8Array} */ bytes,
  place = 0,
) => {
  for (let at = 0; at < bytes.length;) {
    const moved = way(memory, bytes, at, bytes.length - at, place + at)
    if (moved === 0) throw new Error('the memory between us is too short')
    at += moved
  }
}
const say = (/** @type {number} */ status, /** @type {string} */ text) => {
  const bytes = new TextEncoder().encode(text)
  move(writeSync, bytes)
  answer(status, bytes.length, 0, 0)
}
const messageOf = (/** @type {unknown} */ cause) =>
  (cause instanceof Error ? cause.message : String(cause)).slice(0, 2_000)

/** A block of numbers that is reused, and grows to what was asked at once. */
const createBlock = () => {
  let block = new Float32Array(0)
  return (/** @type {number} */ length) => {
    if (block.length < length) block = new Float32Array(length)
    return block.subarray(0, length)
  }
}
const features = createBlock()
const forecasts = createBlock()
const quantiles = createBlock()
const bytesOf = (/** @type {Float32Array} */ values) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

const load = async () => {
  try {
    return await InferenceSession.create(path, options)
  } catch (cause) {
    say(failed, messageOf(cause))
    return process.exit(0)
  }
}
const session = await load()
const tensorsOf = (/** @type {readonly InferenceSession.ValueMetadata[]} */ metadata) =>
  metadata.map((value) =>
    value.isTensor
      ? { name: value.name, type: value.type, shape: value.shape }
      : { name: value.name, type: 'not a tensor', shape: [] },
  )
say(
  ok,
  JSON.stringify({ inputs: tensorsOf(session.inputMetadata), outputs: tensorsOf(session.outputMetadata) }),
)

const run = async (/** @type {number} */ rows, /** @type {boolean} */ wantsQuantiles) => {
  const values = features(rows * columns)
  move(readSync, bytesOf(values))
  const forecast = forecasts(rows * horizon)
  const fetches = { [output]: new Tensor('float32', forecast, [rows, horizon]) }
  const range = quantiles(wantsQuantiles ? rows * quantileCount * horizon : 0)
  if (wantsQuantiles) fetches[quantileOutput] = new Tensor('float32', range, [rows, quantileCount, horizon])
  await session.run({ [input]: new Tensor('float32', values, [rows, columns]) }, fetches)
  move(writeSync, bytesOf(forecast))
  move(writeSync, bytesOf(range), forecast.byteLength)
}

while (asked()) {
  const [rows = 0, wantsQuantiles = 0] = header
  try {
    await run(rows, wantsQuantiles === 1)
    answer(ok, 0, 0, 0)
  } catch (cause) {
    say(failed, messageOf(cause))
  }
}
