/**
 * What each event changes in the projections, without looking at anything but the event: the same function writes
 * them and replays them, so a projection that differs from a replay was changed by somebody else.
 */

import { canonicalJson } from '@imlma/protocol/trust'
import type { ChainedEvent, RegistryEvent } from './events.ts'

/** Primary keys of the projections; every row also carries `seq`, the event that changed it last. */
export const projectionKeys = {
  runs: ['model', 'run'],
  versions: ['model', 'version'],
  shadows: ['model', 'version'],
  deployments: ['model', 'version', 'agent'],
  assignments: ['model', 'agent'],
  pins: ['agent', 'model'],
} as const

export type Projection = keyof typeof projectionKeys
export const projections = Object.keys(projectionKeys) as readonly Projection[]

export type Row = Readonly<Record<string, string | number | null>>

export type RowChange =
  /** A new row; there must be none with its key. */
  | { readonly kind: 'insert'; readonly table: Projection; readonly row: Row }
  /** The whole row, whether there was one or not. */
  | { readonly kind: 'put'; readonly table: Projection; readonly row: Row }
  /** Some columns of the row with this key, which must be there. */
  | { readonly kind: 'change'; readonly table: Projection; readonly key: Row; readonly values: Row }

/** The changes of one event, in order; empty for events that only the log keeps. */
export const project = ({
  seq,
  at,
  event,
}: Pick<ChainedEvent, 'seq' | 'at' | 'event'>): readonly RowChange[] => {
  switch (event.kind) {
    case 'retraining-triggered': {
      const { model, run, trigger } = event
      const row = {
        model,
        run,
        triggerRecord: canonicalJson(trigger),
        triggeredAt: trigger.at,
        triggeredSeq: seq,
        seq,
      }
      return [
        {
          kind: 'insert',
          table: 'runs',
          row: { ...row, dataset: null, version: null, failure: null, delayMs: null },
        },
      ]
    }
    case 'dataset-frozen':
      return [changeRun(event, { dataset: canonicalJson(event.dataset), seq })]
    case 'run-failed': {
      const { code, message, hint } = event
      return [changeRun(event, { failure: canonicalJson({ code, message, hint, at }), seq })]
    }
    case 'run-completed':
      return [changeRun(event, { delayMs: canonicalJson(event.delayMs), seq })]
    case 'version-trained':
      return trained(event, seq, at)
    case 'version-decided': {
      const { decision } = event
      const values = { verdict: decision.verdict, decision: canonicalJson(decision), seq }
      return [changeVersion(event, values)]
    }
    case 'version-signed': {
      const { release, keyid, envelopeSha256 } = event
      return [changeVersion(event, { release, keyid, envelopeSha256, seq })]
    }
    case 'shadow-started': {
      const { model, version, champion, release, keyid, envelopeSha256 } = event
      const started = { model, version, champion, release, keyid, envelopeSha256, startedAt: at }
      const row = { ...started, endedAt: null, reason: null, evidence: null, seq }
      return [{ kind: 'insert', table: 'shadows', row }]
    }
    case 'shadow-ended':
      return shadowEnded(event, seq, at)
    case 'version-assigned': {
      const { model, version, agents } = event
      return agents.map((agent) => ({
        kind: 'put',
        table: 'assignments',
        row: { model, agent, version, at, seq },
      }))
    }
    case 'version-deployed': {
      const { model, version, agent, state, reason, detail } = event
      const row = { model, version, agent, state, reason, detail, at, seq }
      return [{ kind: 'put', table: 'deployments', row }]
    }
    case 'pin-changed': {
      const { agent, model, pinned, version } = event
      return [{ kind: 'put', table: 'pins', row: { agent, model, pinned: pinned ? 1 : 0, version, at, seq } }]
    }
    case 'command-seen':
    case 'alert-raised':
    case 'login':
    case 'login-failed':
    case 'user-changed':
    case 'token-changed':
    case 'command-passed-on':
    case 'agent-enrolled':
    case 'certificate-issued':
    case 'certificate-denied':
    case 'root-accepted':
    case 'desired-sealed':
    case 'agent-log-kept':
    case 'checkpoint-signed':
    case 'setting-changed':
    case 'upload':
    case 'readings-refused':
      return []
  }
}

type Trained = Extract<RegistryEvent, { kind: 'version-trained' }>

const trained = (event: Trained, seq: number, at: number): readonly RowChange[] => {
  const { model, version, run, parent, learner, parameters, seed, codeVersion, study, rows, artifact } = event
  const row = {
    model,
    version,
    run,
    parent,
    createdAt: at,
    learner,
    parameters: canonicalJson(parameters),
    seed,
    codeVersion,
    study,
    rows,
    trainSeconds: event.seconds,
    artifactSha256: artifact.sha256,
    artifactBytes: artifact.bytes,
    verdict: null,
    decision: null,
    release: null,
    keyid: null,
    envelopeSha256: null,
    seq,
  }
  return [{ kind: 'insert', table: 'versions', row }, changeRun(event, { version, seq })]
}

type ShadowEnded = Extract<RegistryEvent, { kind: 'shadow-ended' }>

/** A promoted one makes its run the latest again: what follows of it starts here. */
const shadowEnded = (event: ShadowEnded, seq: number, at: number): readonly RowChange[] => {
  const { model, version, reason, evidence } = event
  const values = { endedAt: at, reason, evidence: canonicalJson(evidence), seq }
  return [
    { kind: 'change', table: 'shadows', key: { model, version }, values },
    ...(reason === 'promoted' ? [changeRun(event, { triggeredSeq: seq, seq })] : []),
  ]
}

const changeRun = ({ model, run }: { model: string; run: string }, values: Row): RowChange => ({
  kind: 'change',
  table: 'runs',
  key: { model, run },
  values,
})

const changeVersion = ({ model, version }: { model: string; version: number }, values: Row): RowChange => ({
  kind: 'change',
  table: 'versions',
  key: { model, version },
  values,
})
