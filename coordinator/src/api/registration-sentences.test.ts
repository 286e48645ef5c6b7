import { describe, expect, test } from 'vitest'
import type { RegistryEvent } from '../registry/events.ts'
import { tellRegistration } from './registration-sentences.ts'
import { tellTrigger, toAuditEvent } from './sentences.ts'

const trained: Extract<RegistryEvent, { kind: 'version-trained' }> = {
  kind: 'version-trained',
  model: 'load',
  run: 'run-8',
  version: 7,
  parent: 6,
  learner: 'external',
  parameters: {
    framework: 'scikit-learn 1.8',
    author: 'load research',
    trainedUntil: Date.UTC(2026, 2, 1),
    note: '',
  },
  seed: 0,
  codeVersion: '0.1.0',
  study: null,
  datasetSha256: 'd'.repeat(64),
  rows: 1_234,
  artifact: { sha256: 'a'.repeat(64), bytes: 1 },
  candidateSha256: 'c'.repeat(64),
  seconds: 2,
}
const sentenceOf = (event: RegistryEvent): string =>
  toAuditEvent({ seq: 1, at: 0, event, previousHash: '', hash: '' }).sentence

describe('a version that was made elsewhere', () => {
  test('is told as what it is, and not as trained here', () => {
    expect(sentenceOf(trained)).toBe(
      'load version 7 was made elsewhere by load research with scikit-learn 1.8, on data until 2026-03-01T00:00Z; ' +
        'it is examined on 1,234 examples in 2 s.',
    )
    expect(sentenceOf({ ...trained, learner: 'ridge' })).toMatch(/^load version 7 is trained: ridge/)
  })

  test('has a trigger that names the file, who sent it and why', () => {
    const evidence = {
      registered: 'ab12cd34ef',
      contract: 'c',
      run: 'run-8',
      note: 'a trial',
      by: 'local operator',
    }
    expect(tellTrigger({ kind: 'manual', evidence, at: 0 })).toBe(
      'the file ab12cd34 was registered by the local operator: a trial',
    )
    expect(tellRegistration({ registered: 'ab12cd34ef', note: '' })).toBe('the file ab12cd34 was registered')
    expect(tellTrigger({ kind: 'manual', evidence: { reason: 'a person' }, at: 0 })).toMatch(
      /^asked for by a person/,
    )
  })
})
