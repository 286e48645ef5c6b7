import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { json, signed, stable, toDocument, type Parser } from './parser.ts'
import { createParsers } from './parsers.ts'
import { fuzz } from './run.ts'

/** A few seconds, more on busy cores; `npm run fuzz` feeds a million. */
const inputs = 40_000
const seed = Number(process.env['IMLMA_SEED'] ?? Date.now() % 1_000_000_000)

let parsers: readonly Parser[]
let close: () => Promise<void>
beforeAll(async () => {
  ;({ parsers, close } = await createParsers())
})
afterAll(() => close())

test('every parser accepts what is honest', async () => {
  const refused: string[] = []
  for (const { name, samples, judge } of parsers) {
    for (const sample of samples) if ((await judge(sample)) !== 'accepted') refused.push(name)
  }
  // The control centre behind the API does not know the fuzzer's trust root.
  expect(refused).toEqual(['API'])
  expect(parsers.length).toBeGreaterThan(40)
})

test(`no input crashes a parser or is accepted wrongly (seed ${seed})`, async () => {
  const { findings } = await fuzz(parsers, { inputs, seed })
  expect(findings).toEqual([])
})

describe('the fuzzer finds', () => {
  const samples = [json({ name: 'a', count: 3 })]
  const findingsIn = async (judge: Parser['judge']) =>
    (await fuzz([{ name: 'broken', samples, judge }], { inputs: 2_000, seed: 1 })).findings.map(
      ({ kind }) => kind,
    )

  test('a parser that throws', async () => {
    expect(
      await findingsIn((bytes) => (JSON.parse(new TextDecoder().decode(bytes)) ? 'accepted' : 'refused')),
    ).toContain('crashed')
  })

  test('a parser that believes what was not signed', async () => {
    expect(await findingsIn(signed(toDocument, samples.map(toDocument)))).toContain('accepted wrongly')
  })

  test('a parser that reads what cannot be written again', async () => {
    const lossy = stable(toDocument, () => json({ name: 'a' }))
    expect(await findingsIn(lossy)).toContain('accepted wrongly')
  })

  test('a parser that lets a document change every object', async () => {
    const merge = (bytes: Uint8Array) => {
      const own = Object.entries((toDocument(bytes) ?? {}) as Record<string, unknown>)
      const target: Record<string, Record<string, unknown>> = {}
      try {
        for (const [key, value] of own) Object.assign((target[key] ??= {}), value)
        return 'accepted' as const
      } finally {
        polluted ||= Object.keys(Object.prototype).length > 0
      }
    }
    let polluted = false
    const kinds = await findingsIn(merge)
    for (const key of Object.keys(Object.prototype)) delete (Object.prototype as Record<string, unknown>)[key]
    expect(polluted).toBe(true)
    expect(kinds).toContain('accepted wrongly')
  })
})
