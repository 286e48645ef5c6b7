import { describe, expect, test } from 'vitest'
import { objectionsTo } from './rules.ts'

const exports = { './wire': './src/wire/index.ts', './result': './src/result.ts' }
const ground = {
  'protocol/package.json': JSON.stringify({ exports }),
  'agent/package.json': '{}',
  'coordinator/package.json': '{}',
}

/** Rule and message of every objection to a few planted files. */
const plant = (files: Readonly<Record<string, string>>): readonly string[] =>
  objectionsTo(new Map(Object.entries({ ...ground, ...files }))).map(
    ({ rule, message }) => `${rule}: ${message}`,
  )

interface Case {
  readonly path: string
  readonly text: string
  /** Part of the objection; undefined for an honest file. */
  readonly objection?: string
}

const run = (cases: readonly Case[]): void => {
  for (const { path, text, objection } of cases)
    test(`${path}: ${text.replaceAll('\n', ' ').slice(0, 90)} ${objection === undefined ? 'passes' : 'is refused'}`, () => {
      const objections = plant({ [path]: text })
      if (objection === undefined) expect(objections).toEqual([])
      else expect(objections).toEqual([expect.stringContaining(objection)])
    })
}

const pure = 'agent/src/outbox/outbox.ts'
const tech = 'agent/src/outbox/outbox.sqlite.ts'

describe('packages', () => {
  run([
    { path: 'protocol/src/wire/header.ts', text: `import { z } from 'zod'\nexport const a = z` },
    {
      path: 'protocol/src/wire/codec.cbor.ts',
      text: `import { Encoder } from 'cbor-x'\nexport const e = Encoder`,
    },
    {
      path: 'protocol/src/node/hash.crypto.ts',
      text: `import { createHash } from 'node:crypto'\nexport const h = createHash`,
    },
    { path: 'protocol/src/wire/header.test.ts', text: `import { test } from 'vitest'\ntest.todo('x')` },
    {
      path: 'protocol/src/wire/header.crypto.ts',
      text: `import 'node:crypto'`,
      objection: 'Node is for protocol/src/node',
    },
    {
      path: 'protocol/src/node/x.cbor.ts',
      text: `import '@imlma/agent/link'`,
      objection: 'protocol never imports agent',
    },
    {
      path: 'protocol/src/wire/header.test.ts',
      text: `import '@imlma/agent/link'`,
      objection: 'protocol never imports agent',
    },
    {
      path: 'protocol/src/node/log.pino.ts',
      text: `import type { Logger } from 'pino'\nexport type L = Logger`,
      objection: 'protocol imports nobody',
    },
    { path: pure, text: `import { accept } from '@imlma/protocol/result'\nexport const a = accept` },
    {
      path: pure,
      text: `import { a } from '@imlma/protocol/src/result.ts'\nexport const b = a`,
      objection: 'not in the exports',
    },
    {
      path: pure,
      text: `import { a } from '@imlma/protocol'\nexport const b = a`,
      objection: 'not in the exports',
    },
    {
      path: tech,
      text: `import type { A } from '@imlma/coordinator/api'\nexport type B = A`,
      objection: 'agent never imports coordinator',
    },
    {
      path: 'coordinator/src/main.ts',
      text: `await import('@imlma/agent/link')`,
      objection: 'coordinator never imports agent',
    },
    {
      path: pure,
      text: `export { accept } from '../../../protocol/src/result.ts'`,
      objection: 'import it by name',
    },
    { path: 'test/story.test.ts', text: `import '../agent/src/main.ts'`, objection: 'import it by name' },
    { path: 'test/story.test.ts', text: `import '@imlma/protocol/wire'` },
    { path: 'scripts/start.ts', text: `import '../test/story.ts'` },
    { path: 'agent/src/main.ts', text: `import '@imlma/agent/link'`, objection: 'import by relative path' },
  ])
})

describe('relative imports', () => {
  run([
    { path: pure, text: `import './batch.ts'` },
    { path: pure, text: `import './batch'`, objection: 'does not end in .ts' },
    {
      path: pure,
      text: `import type { A } from './batch.js'\nexport type B = A`,
      objection: 'does not end in .ts',
    },
  ])
})

describe('purity: imports', () => {
  run([
    { path: pure, text: `import { z } from 'zod'\nexport const a = z` },
    {
      path: pure,
      text: `import { join } from 'node:path'\nexport const a = join`,
      objection: 'does not import node:path',
    },
    {
      path: pure,
      text: `import type { Server } from 'node:http'\nexport type A = Server`,
      objection: 'does not import node:http',
    },
    {
      path: pure,
      text: `export type A = import('node:http').Server`,
      objection: 'does not import node:http',
    },
    { path: pure, text: `export const load = () => import('mqtt')`, objection: 'does not import mqtt' },
    { path: pure, text: `export const load = (name: string) => import(name)`, objection: 'computed import' },
    { path: pure, text: `export { connect } from 'mqtt'`, objection: 'does not import mqtt' },
    {
      path: tech,
      text: `import Database from 'better-sqlite3'\nimport 'node:fs'\nexport const a = Database`,
    },
    { path: 'agent/src/outbox/outbox.test.ts', text: `import 'node:fs'\nimport 'vitest'` },
    { path: 'agent/src/main.ts', text: `import 'commander'\nimport 'node:fs'` },
    { path: 'coordinator/src/dashboard/page/chart.ts', text: `import 'uplot'\ndocument.title = ''` },
  ])

  test('a pure file takes only types from a file with a suffix', () => {
    const neighbour = { [tech]: 'export const openOutbox = (): number => Date.now()' }
    const honest = {
      [pure]: `import type { openOutbox } from './outbox.sqlite.ts'\nexport type Open = typeof openOutbox`,
    }
    const planted = { [pure]: `import { openOutbox } from './outbox.sqlite.ts'\nexport const a = openOutbox` }
    const inline = {
      [pure]: `import { type openOutbox } from './outbox.sqlite.ts'\nexport type Open = typeof openOutbox`,
    }
    expect(plant({ ...neighbour, ...honest })).toEqual([])
    expect(plant({ ...neighbour, ...planted })).toEqual([expect.stringContaining('touches the outside')])
    // Under `verbatimModuleSyntax` the module is still loaded.
    expect(plant({ ...neighbour, ...inline })).toEqual([expect.stringContaining('touches the outside')])
  })

  test('a barrel may list files with a suffix, but does not hide them from a pure file', () => {
    const files = {
      'protocol/src/wire/codec.cbor.ts': `import { Encoder } from 'cbor-x'\nexport const a = new Encoder()`,
      'protocol/src/wire/topics.ts': 'export const b = 1',
      'protocol/src/wire/index.ts': `export * from './codec.cbor.ts'\nexport * from './topics.ts'`,
    }
    const laundered = {
      'protocol/src/trust/verify.ts': `import { a } from '../wire/index.ts'\nexport const c = a`,
    }
    const direct = {
      'protocol/src/trust/verify.ts': `import { b } from '../wire/topics.ts'\nexport const c = b`,
    }
    const code = { 'protocol/src/wire/index.ts': `import { a } from './codec.cbor.ts'\nexport const c = a` }
    expect(plant({ ...files, ...direct })).toEqual([])
    expect(plant({ ...files, ...laundered })).toEqual([expect.stringContaining('touches the outside')])
    expect(plant({ ...files, ...code })).toEqual([expect.stringContaining('touches the outside')])
  })
})

describe('purity: globals', () => {
  const refused = [
    'Date.now()',
    'new Date()',
    'Date()',
    'performance.now()',
    'Math.random()',
    `Math['random']()`,
    'crypto.randomUUID()',
    'process.pid',
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setImmediate(() => {})',
    'queueMicrotask(() => {})',
    `fetch('http://localhost')`,
    `console.log('x')`,
    'Buffer.alloc(1)',
    'globalThis.process',
    'AbortSignal.timeout(5)',
    'import.meta.url',
    `require('fs')`,
    '[1].map(Math.random)',
    'Date',
    'Math',
  ]
  const allowed = [
    'new Date(0)',
    'Date.UTC(2026, 1)',
    'Math.max(1, 2)',
    'x instanceof Date',
    'typeof process',
    '({ fetch: 1, process: 2 })',
    'x.fetch()',
    'x?.performance.now',
    '(fetch: () => number) => fetch()',
    '(({ console }: { console: { log: () => void } }) => console.log())',
    'x as { readonly process: number; setTimeout(fetch: string): void }',
  ]
  run([
    ...refused.map((text) => ({
      path: pure,
      text: `export const a = ${text}`,
      objection: 'a pure file does not use',
    })),
    ...allowed.map((text) => ({ path: pure, text: `declare const x: any\nexport const a = ${text}` })),
    { path: pure, text: 'export const { now } = Date', objection: 'does not use Date' },
    { path: pure, text: 'export const a = (now = Date.now) => now()', objection: 'does not use Date.now' },
    { path: pure, text: 'export type A = Buffer', objection: 'does not use Buffer' },
    {
      path: pure,
      text: 'export interface Worker { readonly id: number }\nexport const a = (each: Worker) => each',
    },
    {
      path: pure,
      text: 'export const f = () => { const fetch = 1; return fetch }\nexport const g = () => fetch',
      objection: 'does not use fetch',
    },
    { path: 'agent/src/outbox/outbox.clock.ts', text: 'export const now = () => Date.now()' },
    { path: 'scripts/start.ts', text: 'console.log(process.env, Date.now())' },
    { path: 'agent/src/outbox/outbox.test.ts', text: 'export const now = Date.now()' },
  ])
})

describe('suffixes', () => {
  run([
    { path: 'agent/src/link/link.mqtt.ts', text: `import 'mqtt'\nimport 'node:tls'` },
    {
      path: 'agent/src/link/link.magic.ts',
      text: 'export const a = 1',
      objection: 'magic is no known technology',
    },
    {
      path: 'agent/src/link/link.fs.ts',
      text: `import 'mqtt'`,
      objection: 'mqtt is not what .fs.ts stands for',
    },
    { path: 'coordinator/src/training/trainer.worker.ts', text: `import 'onnxruntime-node'\nimport 'mqtt'` },
  ])
})

describe('environment', () => {
  run([
    { path: 'agent/src/main.ts', text: 'console.log(process.env, process.argv)' },
    { path: 'coordinator/src/cli/main.ts', text: 'console.log(process.argv)' },
    { path: tech, text: 'export const a = process.pid' },
    { path: tech, text: 'export const a = process.env.HOME', objection: 'only main.ts reads process.env' },
    { path: tech, text: `export const a = process['env']`, objection: 'only main.ts reads process.env' },
    { path: tech, text: 'export const { env } = process', objection: 'only main.ts reads process' },
    {
      path: tech,
      text: `import { env } from 'node:process'\nexport const a = env`,
      objection: 'part by part',
    },
    { path: tech, text: 'export const a = process.argv[2]', objection: 'only main.ts reads process.argv' },
    { path: 'coordinator/src/training/trainer.child.ts', text: 'export const a = process.argv[2]' },
    {
      path: 'coordinator/src/training/trainer.child.ts',
      text: 'export const a = process.env',
      objection: 'process.env',
    },
  ])
})

describe('rooms', () => {
  run([
    { path: 'agent/src/link/a.ts', text: `import '../outbox/b.ts'` },
    {
      path: 'agent/src/outbox/a.ts',
      text: `import '../link/b.ts'`,
      objection: 'outbox does not import from link',
    },
    { path: 'agent/src/main.ts', text: `import './link/b.ts'` },
    {
      path: 'agent/src/link/a.ts',
      text: `import '../main.ts'`,
      objection: 'nobody but its launcher imports main.ts',
    },
    { path: 'agent/bin/agent.mjs', text: `await import('../src/main.ts')` },
    { path: 'agent/src/cellar/a.ts', text: 'export const a = 1', objection: 'cellar is no room of agent' },
    { path: 'coordinator/src/api/a.ts', text: `import '../registry/b.ts'` },
    {
      path: 'coordinator/src/gate/a.ts',
      text: `import type { B } from '../api/b.ts'\nexport type A = B`,
      objection: 'gate does not import from api',
    },
    {
      path: 'coordinator/src/storage/a.ts',
      text: `import '../ingest/b.ts'`,
      objection: 'storage does not import from ingest',
    },
  ])
})

describe('cycles', () => {
  const [a, b, c] = ['agent/src/outbox/a.ts', 'agent/src/outbox/b.ts', 'agent/src/outbox/c.ts']

  test('a chain passes, a circle is told once, with its way', () => {
    const chain = { [a]: `import './b.ts'`, [b]: `import './c.ts'`, [c]: 'export const x = 1' }
    expect(plant(chain)).toEqual([])
    expect(plant({ ...chain, [c]: `import './a.ts'` })).toEqual([`cycles: ${a} → ${b} → ${c} → ${a}`])
    expect(plant({ [a]: `import './a.ts'` })).toEqual([`cycles: ${a} → ${a}`])
  })

  test('types close a circle too', () => {
    const files = {
      [a]: `import type { B } from './b.ts'\nexport type A = B`,
      [b]: `import './a.ts'\nexport type B = 1`,
    }
    expect(plant(files)).toHaveLength(1)
  })
})

describe('form', () => {
  // Put together here, so that a search for unfinished work does not find this file.
  const promise = [['TO', 'DO'].join(''), ['FIX', 'ME'].join('')] as const
  const long = 'export {}\n'.repeat(301)
  run([
    { path: 'agent/src/link/a.ts', text: 'export {}\n'.repeat(300) },
    { path: 'agent/src/link/a.ts', text: long, objection: '301 lines' },
    { path: 'agent/src/link/a.test.ts', text: long },
    { path: 'agent/src/link/a.ts', text: `// ${promise[0]}: later`, objection: 'promises work' },
    { path: 'agent/src/link/a.ts', text: `/** ${promise[1]} */ export {}`, objection: 'promises work' },
    { path: 'agent/src/link/a.ts', text: '// What is to do is done.' },
  ])
})
