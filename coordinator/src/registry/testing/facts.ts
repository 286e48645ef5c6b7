/** Facts of one retraining as the registry is told them, for tests. */

import type { DatasetRecord, Decision, RegistryEvent } from '../events.ts'

const sha = (character: string): string => character.repeat(64)

export const dataset: DatasetRecord = {
  sha256: sha('d'),
  bytes: 4_096,
  series: 3,
  readings: 20_000,
  window: { start: 1_000, end: 9_000 },
  trainEnd: 7_000,
  evaluation: { start: 7_000, end: 9_000 },
  provenance: [{ agent: 'gw-1', firstSeq: 1, lastSeq: 40 }],
}

export const decisionOf = (verdict: Decision['verdict'], champion: number | null): Decision => ({
  verdict,
  reasons: ['MSE is lower'],
  checks: [{ name: 'mse', passed: verdict === 'promote', champion: 2, challenger: 1, detail: '1 against 2' }],
  window: { start: 7_000, end: 9_000 },
  rows: 500,
  champion: { mse: 2, mae: 1, r2: 0.5, version: champion, learner: 'seasonal-naive' },
  challenger: { mse: 1, mae: 0.5, r2: 0.75 },
})

/** A run from its trigger to the gate's decision. */
export const decidedRun = (
  model: string,
  version: number,
  verdict: Decision['verdict'] = 'promote',
): readonly RegistryEvent[] => {
  const run = `run-${version}`
  const parent = version === 1 ? null : version - 1
  return [
    {
      kind: 'retraining-triggered',
      model,
      run,
      trigger: { kind: 'volume', evidence: { readingsSince: 20_000 }, at: 10_000 + version },
    },
    { kind: 'dataset-frozen', model, run, dataset },
    {
      kind: 'version-trained',
      model,
      run,
      version,
      parent,
      learner: 'ridge',
      parameters: { lambda: 10 * version },
      seed: 7,
      codeVersion: '0.1.0',
      study: null,
      datasetSha256: dataset.sha256,
      rows: 5_000,
      artifact: { sha256: sha('a'), bytes: 12_345 },
      candidateSha256: sha('c'),
      seconds: 1.5,
    },
    { kind: 'version-decided', model, run, version, decision: decisionOf(verdict, parent) },
  ]
}

export const signed = (model: string, version: number, release = version): RegistryEvent => ({
  kind: 'version-signed',
  model,
  version,
  release,
  keyid: sha('e'),
  envelopeSha256: sha('f'),
})

export const deployed = (
  model: string,
  version: number,
  agent: string,
  state: 'committed' | 'refused' | 'rolled-back' = 'committed',
): RegistryEvent => ({
  kind: 'version-deployed',
  model,
  version,
  agent,
  state,
  reason: state === 'committed' ? null : 'GOLDEN_MISMATCH',
  detail: '',
  durationsMs: { fetch: 12, verify: 3, swap: 1 },
})
