import { describe, expect, test } from 'vitest'
import { defaultConfiguration, needRestart, parseConfiguration } from './configuration.ts'

const problemsOf = (document: unknown): readonly string[] => {
  const parsed = parseConfiguration(typeof document === 'string' ? document : JSON.stringify(document))
  return parsed.ok ? [] : parsed.refusal.message.split('\n')
}
const source = { kind: 'simulated', name: 'feed', meters: 3 }

describe('the configuration', () => {
  test('is complete without a word', () => {
    expect(parseConfiguration('{}')).toEqual({ ok: true, value: defaultConfiguration })
  })

  test('says everything that is wrong at once: where, what stands there, what is allowed', () => {
    const document = {
      reportEveryMs: 'often',
      port: 70_000,
      outboxBytesMax: 5,
      log: 'loud',
      colour: 'red',
      sources: [{ ...source, meters: 0 }],
    }
    expect(problemsOf(document).toSorted()).toEqual([
      'log = "loud": allowed: "fatal", "error", "warn", "info", "debug", "trace", "silent"',
      'outboxBytesMax = 5: allowed: at least 1048576',
      'port = 70000: allowed: at most 65535',
      'reportEveryMs = "often": allowed: number',
      'sources.0.meters = 0: allowed: at least 1',
      'the file: no such setting: colour',
    ])
  })

  test.each([
    ['no JSON', '{', /^no JSON/],
    ['a list', [], /^the file = \[\]: allowed: object$/],
    ['nothing', '', /^no JSON/],
    ['a source of no kind', { sources: [{ name: 'feed' }] }, /^sources\.0/],
    ['two sources of one name', { sources: [source, source] }, /two sources share a name/],
    ['a missing field', { sources: [{ kind: 'simulated', meters: 1 }] }, /^sources\.0\.name = missing/],
  ])('refuses %s', (_, document, problem) => {
    expect(problemsOf(document)[0]).toMatch(problem)
  })

  test('says of each setting that differs whether it waits for a restart', () => {
    const wanted = parseConfiguration(
      JSON.stringify({ sources: [source], log: 'debug', settleMs: 2_000, name: 'gw-1' }),
    )
    if (!wanted.ok) throw new Error(wanted.refusal.message)
    expect(needRestart(defaultConfiguration, wanted.value)).toEqual(['name', 'settleMs'])
    expect(needRestart(wanted.value, wanted.value)).toEqual([])
  })
})
