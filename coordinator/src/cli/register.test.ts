import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '@imlma/protocol/node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createApp } from '../api/routes.http.ts'
import { startServer, type HttpServer } from '../api/server.http.ts'
import { storyModel } from '../api/testing/chapters.ts'
import { createControlFixture, type ControlFixture } from '../api/testing/control-fixture.ts'
import { createPeopleFixture } from '../api/testing/people-fixture.ts'
import type { RegistryEvent } from '../registry/events.ts'
import { commands } from './commands.ts'
import { openContext } from './context.process.ts'
import { runProgram } from './program.commander.ts'

let folder: string
let control: ControlFixture
let server: HttpServer
const model = 'the bytes of a model'

const imlma = async (...words: string[]): Promise<{ code: number; out: string; err: string }> => {
  let [out, err] = ['', '']
  const environment = { IMLMA_URL: server.url, IMLMA_TOKEN: 'operate' }
  const code = await runProgram(
    {
      commands,
      open: (options) => openContext({ folder, environment, options }, (line) => (err += `${line}\n`)),
      terminal: { out: (text) => (out += text), err: (text) => (err += text) },
    },
    words,
  )
  return { code, out, err }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-cli-register-'))
  await writeFile(join(folder, 'model.onnx'), model)
  await writeFile(join(folder, 'contract.json'), JSON.stringify({ author: 'load research' }))
  await writeFile(join(folder, 'no.json'), '{ not json')
  await writeFile(join(folder, 'list.json'), '[]')
  await writeFile(join(folder, 'large.json'), ' '.repeat(600_000))
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(async () => {
  control = createControlFixture({ now: Date.now() })
  const app = createApp(
    {
      control,
      assets: { importMapHash: '', find: async () => undefined },
      people: createPeopleFixture(),
      now: Date.now,
    },
    { version: '0.1.0', loopbackOnly: true },
  )
  server = await startServer(app, { host: '127.0.0.1', port: 0 })
})
afterEach(() => server.close())

/** What happened to an earlier version of the story happens to the registered one. */
const repeat = async (version: number, last: RegistryEvent['kind']): Promise<void> => {
  const events = (await control.events({ fromSeq: 1, limit: 1_000 })).map(({ event }) => event)
  const trained = events.find((event) => event.kind === 'version-trained' && event.version === version)
  if (trained?.kind !== 'version-trained') throw new Error(`the story has no version ${version}`)
  for (const event of events) {
    if (!('run' in event) || event.run !== trained.run) continue
    control.tell({ ...event, run: 'run-8', ...('version' in event ? { version: 7 } : {}) }, 1)
    if (event.kind === last) return
  }
}
const register = ['register', 'model.onnx', '--contract', 'contract.json']

describe('imlma register', () => {
  test('sends file and contract, and prints the run', async () => {
    const { code, out, err } = await imlma(...register, '--note', 'a trial')
    expect([code, out]).toEqual([0, `run-8 of ${storyModel} is under way; follow it with: imlma status\n`])
    expect(err).toContain(sha256(model))
    expect(control.asked).toEqual([
      `upload ${sha256(model).slice(0, 8)}: ${model.length} bytes`,
      `register ${sha256(model).slice(0, 8)} for ${storyModel}: a trial (local operator)`,
    ])
  })

  test('takes the model that the contract names, and rather the one that it is told', async () => {
    await writeFile(join(folder, 'other.json'), JSON.stringify({ model: 'heat' }))
    const named = await imlma('register', 'model.onnx', '--contract', 'other.json')
    expect([named.code, named.err]).toEqual([
      1,
      expect.stringMatching(/UNKNOWN_MODEL: there is no model heat/),
    ])
    expect(
      (await imlma('register', 'model.onnx', '--contract', 'other.json', '--model', storyModel)).code,
    ).toBe(0)
  })

  test('waits for the verdict and tells its reasons', async () => {
    await repeat(6, 'version-trained')
    const waiting = imlma(...register, '--wait')
    await repeat(6, 'version-decided')
    const { code, out } = await waiting
    expect(code).toBe(0)
    expect(out).toMatch(
      /^promote: version 7 against version 4 on [\d,]+ forecasts\n {2}mse 0\.0388 against 0\.0426\n/,
    )
    const json = JSON.parse((await imlma(...register, '--wait', '--json')).out) as {
      verdict: string
      run: string
    }
    expect(json).toMatchObject({ verdict: 'promote', run: 'run-8', version: 7 })
  })

  test('says why a run has failed', async () => {
    await repeat(6, 'retraining-triggered')
    const failed = { code: 'NOT_FINITE', message: 'it forecasts NaN', hint: 'look for a logarithm' }
    control.tell({ kind: 'run-failed', model: storyModel, run: 'run-8', ...failed }, 1)
    const { code, out, err } = await imlma(...register, '--wait')
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('NOT_FINITE: it forecasts NaN\nhint: look for a logarithm')
  })

  test('does not wait for ever', async () => {
    const { code, err } = await imlma(...register, '--wait', '--timeout', '0.4')
    expect([code, err]).toEqual([1, expect.stringMatching(/NO_VERDICT: run-8 has no verdict after 0\.4 s/)])
  })

  test.each([
    [['register', 'model.onnx'], 2, /--contract <file>/],
    [['register', 'none.onnx', '--contract', 'contract.json'], 1, /FILE_UNREADABLE: .*none\.onnx/],
    [['register', '.', '--contract', 'contract.json'], 1, /FILE_UNREADABLE: .* is no file/],
    [['register', 'model.onnx', '--contract', 'none.json'], 1, /FILE_UNREADABLE: .*none\.json/],
    [['register', 'model.onnx', '--contract', 'no.json'], 1, /MALFORMED: no\.json is no JSON/],
    [['register', 'model.onnx', '--contract', 'list.json'], 1, /MALFORMED: list\.json holds no JSON object/],
    [['register', 'model.onnx', '--contract', 'large.json'], 1, /TOO_LARGE: /],
    [[...register, '--timeout', 'soon'], 2, /USAGE: --timeout soon/],
  ])('%j ends with %i', async (words, exit, expected) => {
    const { code, out, err } = await imlma(...words)
    expect([code, out]).toEqual([exit, ''])
    expect(err).toMatch(expected)
    expect(control.asked).toEqual([])
  })
})
