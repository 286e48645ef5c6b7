import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256 } from '@imlma/protocol/node'
import { emptyAgentState, type AgentState } from './agent-state.ts'
import { emptyDeployment, type DeploymentEvent } from './deployment-state.ts'
import type { Raised } from './machine-room.ts'
import { scrubModels } from './scrub.ts'
import { keepScrubbed } from './scrub.timer.ts'
import { openStore } from './store.fs.ts'
import type { ModelStore } from './store.ts'
import type { WorkEffect } from './work.ts'

const content = 'a model'
const digest = sha256(content)
const champion = { version: 3, release: 3, sha256: digest }
const idle: AgentState = {
  ...emptyAgentState,
  models: { load: { ...emptyDeployment, champion, championLoaded: true } },
}

let folder = ''
let store: ModelStore
let alarms: Raised[] = []
let isReachable = true
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-scrub-'))
  store = await openStore({ folder })
  alarms = []
  isReachable = true
  await writeFile(pathOf(), content)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const pathOf = () => join(folder, `${digest}.onnx`)

/** Brings the bytes as the control centre would, into the real store. */
const work = async (_model: string, effect: WorkEffect): Promise<DeploymentEvent> => {
  const failed = { kind: 'failed', attempt: 0, reason: 'FETCH_FAILED', detail: 'no link' } as const
  if (!isReachable) return failed
  if (effect.kind === 'fetch') {
    const partial = await store.openPartial(digest, content.length)
    if (!partial.ok) return failed
    await partial.value.append(new TextEncoder().encode(content))
    await partial.value.close()
    return { kind: 'fetched', attempt: 0, durationMs: 1 }
  }
  const admitted = await store.admit(digest)
  return admitted.ok ? { kind: 'verified', attempt: 0, durationMs: 1 } : failed
}
const scrub = (state = idle) =>
  scrubModels(
    { state: () => state, store, work, raise: (alarm) => alarms.push(alarm) },
    new AbortController().signal,
  )

test('a file that is whole is left alone', async () => {
  await scrub()
  expect(alarms).toEqual([])
  expect(await readFile(pathOf(), 'utf8')).toBe(content)
})

test('a file that was changed is told of, moved aside and brought again', async () => {
  await appendFile(pathOf(), '!')
  await scrub()
  expect(alarms).toMatchObject([{ model: 'load', version: 3, evidence: { code: 'ARTIFACT_CHANGED' } }])
  expect(await readFile(pathOf(), 'utf8')).toBe(content)
  expect(await readFile(join(folder, `${digest}.damaged`), 'utf8')).toBe(`${content}!`)
})

test('what could not be brought is tried with the next pass, and told once', async () => {
  await appendFile(pathOf(), '!')
  isReachable = false
  await scrub()
  expect(await store.has(digest)).toBe(false)
  isReachable = true
  await scrub()
  expect(await readFile(pathOf(), 'utf8')).toBe(content)
  expect(alarms).toHaveLength(1)
})

test('a model that moves is not disturbed', async () => {
  await appendFile(pathOf(), '!')
  const attempt = { id: 1, challenger: champion, origin: { kind: 'repair' } }
  const moving = { ...idle, models: { load: { ...idle.models['load'], phase: 'fetching', attempt } } }
  await scrub(moving as unknown as AgentState)
  expect([alarms, await readFile(pathOf(), 'utf8')]).toEqual([[], `${content}!`])
})

test('passes come again, and end with the agent', async () => {
  let passes = 0
  const end = keepScrubbed(
    async () => void (passes += 1),
    () => undefined,
    { delayMs: 1, everyMs: 1 },
  )
  await expect.poll(() => passes).toBeGreaterThan(1)
  await end()
})
