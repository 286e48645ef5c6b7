/**
 * A gateway with real ONNX sessions on a folder of its own, and what a story about it asks: what it says, what it
 * answers, when it has come to rest. Each test file gets one with `createStory`.
 */

import { join } from 'node:path'
import type { ControlMessage } from '../../link/link.ts'
import type { CommandResult, ReportedModel } from '@imlma/protocol/wire'
import { createActiveModels, type ActiveModels } from '../../serving/active-models.ts'
import { withFactory } from '../../serving/factory.ts'
import { loadModel } from '../../serving/session.onnx.ts'
import { tinyContract } from '../../serving/testing/tiny-contract.ts'
import { encodeTinyModel } from '../../serving/testing/tiny-model.ts'
import { createControlCentre, type ControlCentre } from './control-centre.timer.ts'
import {
  model,
  newFolder,
  newKeys,
  release,
  removeFolder,
  sealDesired,
  sealRoot,
  start,
  type Gateway,
  type GatewayOptions,
  type Released,
} from './gateway.fs.ts'

export const contract = tinyContract({ features: 8, horizon: 2 })
export const keys = newKeys()
const anchor = sealRoot(keys)

/** Version `n` answers `n` times the sum of the features, and `n`. */
export const artifact = (n: number) => ({
  bytes: encodeTinyModel({
    layers: [
      {
        weights: Float32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? n : 0)),
        bias: Float32Array.of(0, n),
      },
    ],
  }),
  contract,
  answer: (input: Float32Array) => Float32Array.of(n * input.reduce((sum, value) => sum + value, 0), n),
})
const versions: readonly Released[] = [1, 2, 3, 4].map((n) => release(keys.release, n, artifact(n)))
export const version = (n: number): Released => versions[n - 1] as Released
export const desired = (counter: number, n: number): Uint8Array =>
  sealDesired(keys.director, counter, { [model]: version(n).envelope })

const toBooted = (gateway: Gateway, serving: ActiveModels) => {
  const state = (): ReportedModel | undefined => gateway.models.reportedModels().models[model]
  /** Resolves when the condition holds after a change. */
  const when = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = (): void => {
        if (!condition()) return
        end()
        resolve()
      }
      const end = gateway.models.onChange(look)
      look()
    })
  const idle = () => when(() => state()?.phase === 'idle')
  return {
    ...gateway,
    serving,
    state,
    when,
    idle,
    /** The version that really answers: what it computes, not what it is called. */
    answers: async () => (await serving.active(model)?.run(Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0), 1))?.[1],
    codes: () => gateway.alarms.map(({ evidence }) => evidence.code),
    assign: async (counter: number, n: number) => {
      await gateway.models.desired(desired(counter, n))
      await idle()
    },
    off: async () => {
      await gateway.off()
      await serving.close()
    },
  }
}
export type Booted = ReturnType<typeof toBooted>

export const createStory = async () => {
  let folder = await newFolder()
  const folders = [folder]
  const centre: ControlCentre = createControlCentre()
  for (const { sha256, bytes } of versions) centre.artifacts.set(sha256, bytes)
  const running = new Set<Booted>()
  const resultsOf = (id: string): readonly CommandResult[] =>
    centre.results.filter(({ commandId }) => commandId === id)

  return {
    centre,
    resultsOf,
    folder: () => folder,
    /** From now on the gateway lives in this folder. */
    moveTo: (next: string) => {
      folder = next
      if (!folders.includes(next)) folders.push(next)
    },
    boot: async (options: GatewayOptions = {}): Promise<Booted> => {
      const released = createActiveModels({ load: loadModel, now: () => performance.now() })
      const serving = withFactory({ models: released, known: {}, learn: () => undefined })
      const booted = toBooted(await start(folder, anchor, centre, serving, options), serving)
      running.add(booted)
      return booted
    },
    off: async (gateway: Booted) => {
      running.delete(gateway)
      await gateway.off()
    },
    /** Its power is gone: nobody waits for it any more. */
    forget: () => running.clear(),
    fileOf: (n: number, suffix = '.onnx') => join(folder, 'models', `${version(n).sha256}${suffix}`),
    /** Sends the command and waits for its last word. */
    command: async (gateway: Booted, message: ControlMessage) => {
      const isOver = ({ state }: CommandResult) => state !== 'accepted' && state !== 'executing'
      await gateway.models.command(message)
      await centre.heard(() => resultsOf(message.id ?? '').some(isOver))
      return resultsOf(message.id ?? '').at(-1)
    },
    end: async () => {
      for (const gateway of running) await gateway.off()
      for (const each of folders) await removeFolder(each)
    },
  }
}
export type Story = Awaited<ReturnType<typeof createStory>>
