/** What happened, in plain sentences: the event feed of the page, `imlma` and the log say it with the same words. */

import type { ChainedEvent, DatasetRecord, RegistryEvent } from '../registry/events.ts'
import { externalLearner } from '../training/job.ts'
import { tellCertificate } from './certificate-sentences.ts'
import { figure, grouped } from './numbers.ts'
import { tellPeople } from './people-sentences.ts'
import { tellProvenance, tellRegistration } from './registration-sentences.ts'
import { tellShadowEnded, tellShadowStarted } from './shadow-sentences.ts'
import { tellRecord } from './record-sentences.ts'
import type { AuditEventView } from './views.ts'

export { figure, grouped } from './numbers.ts'

type Tone = AuditEventView['tone']
type Sentence = readonly [tone: Tone, sentence: string]

export const toAuditEvent = ({ seq, at, event, previousHash, hash }: ChainedEvent): AuditEventView => {
  const [tone, sentence] = tell(event)
  return {
    seq,
    at,
    kind: event.kind,
    model: 'model' in event ? event.model : null,
    agent: 'agent' in event ? event.agent : null,
    version: 'version' in event && event.kind !== 'root-accepted' ? event.version : null,
    tone,
    sentence,
    event,
    previousHash,
    hash,
  }
}

const tell = (event: RegistryEvent): Sentence => {
  switch (event.kind) {
    case 'retraining-triggered':
      return ['note', `Training of ${event.model} starts: ${tellTrigger(event.trigger)}.`]
    case 'dataset-frozen':
      return ['note', `Dataset ${short(event.dataset.sha256)} is frozen: ${tellDataset(event.dataset)}.`]
    case 'run-failed':
      return ['act', `Training of ${event.model} failed (${event.code}): ${sentenceEnd(event.message)}`]
    case 'version-trained':
      return [
        'note',
        event.learner === externalLearner
          ? `${event.model} version ${event.version} was ${tellProvenance(event)}; it is examined on ${grouped(event.rows)} examples in ${figure(event.seconds)} s.`
          : `${event.model} version ${event.version} is trained: ${event.learner} on ${grouped(event.rows)} examples in ${figure(event.seconds)} s.`,
      ]
    case 'version-decided':
      return tellDecision(event)
    case 'version-signed':
      return [
        'note',
        `${event.model} version ${event.version} is signed as release ${event.release} by key ${short(event.keyid)}.`,
      ]
    case 'shadow-started':
      return ['note', tellShadowStarted(event)]
    case 'shadow-ended':
      return [event.reason === 'promoted' ? 'good' : 'note', tellShadowEnded(event)]
    case 'version-assigned':
      return ['note', `${event.model} version ${event.version} is sent to ${list(event.agents)}.`]
    case 'version-deployed':
      return tellDeployment(event)
    case 'run-completed':
      return tellCompletion(event)
    case 'command-seen':
      return tellCommand(event)
    case 'pin-changed':
      return [
        'watch',
        event.pinned
          ? `${event.agent} holds ${event.model}${event.version === null ? '' : ` at version ${event.version}`}: new assignments wait until someone unpins.`
          : `${event.agent} takes new versions of ${event.model} again.`,
      ]
    case 'alert-raised':
      return [event.level, tellAlert(event)]
    case 'login':
    case 'login-failed':
    case 'user-changed':
    case 'token-changed':
    case 'command-passed-on':
      return tellPeople(event)
    case 'agent-enrolled':
    case 'certificate-issued':
    case 'certificate-denied':
      return tellCertificate(event)
    case 'desired-sealed':
    case 'agent-log-kept':
    case 'checkpoint-signed':
    case 'setting-changed':
    case 'upload':
    case 'readings-refused':
      return tellRecord(event)
    case 'root-accepted':
      return ['watch', `Trust root version ${event.version} is in force: the list of keys has changed.`]
  }
}

type Trigger = Extract<RegistryEvent, { kind: 'retraining-triggered' }>['trigger']

/** Why a training started, with the numbers that decided it; everything else of the evidence is in the event. */
export const tellTrigger = ({ kind, evidence }: Trigger): string => {
  const number = (name: string): string => {
    const value = evidence[name]
    return typeof value === 'number' ? grouped(value) : '–'
  }
  const readings = `${number('readingsSince')} new readings`
  const { elapsedMs, reason } = evidence
  switch (kind) {
    case 'volume':
      return `${readings}, ${number('threshold')} are enough`
    case 'interval':
      return typeof elapsedMs === 'number'
        ? `${grouped(Math.round(elapsedMs / 1_000))} s since the last training, ${readings}`
        : `the interval has passed, ${readings}`
    case 'drift':
      return `drift, ${readings}${typeof reason === 'string' ? `: ${reason}` : ''}`
    case 'manual':
      if (typeof evidence['registered'] === 'string') return tellRegistration(evidence)
      return `asked for by a person${typeof reason === 'string' ? `: ${reason}` : ''}`
  }
}

const tellDataset = ({ readings, series, quality }: DatasetRecord): string =>
  [`${grouped(readings)} readings of ${grouped(series)} series`, ...tellQuality(quality)].join('; ')

/** What the quality checks kept out, most first; nothing where there is nothing to tell. */
export const tellQuality = (quality: DatasetRecord['quality']): readonly string[] => {
  if (quality === undefined || quality.trainable === quality.expected) return []
  const { expected, trainable, notTrainable, flagged, series, seriesFlagged } = quality
  const counts = Object.entries({ ...flagged, 'not trainable': notTrainable })
    .filter(([, count]) => count > 0)
    .toSorted(([, a], [, b]) => b - a)
    .map(([check, count]) => `${grouped(count)} ${check}`)
  const worst = series.slice(0, 3).map(({ meter }) => meter)
  const more = seriesFlagged - worst.length
  return [
    `${grouped(expected - trainable)} of ${grouped(expected)} kept out (${counts.join(', ')}), ` +
      `most of ${worst.join(', ')}${more > 0 ? ` and ${grouped(more)} more` : ''}`,
  ]
}

const tellDecision = ({
  model,
  version,
  decision,
}: Extract<RegistryEvent, { kind: 'version-decided' }>): Sentence => {
  const { champion, challenger, rows } = decision
  const against =
    champion.version === null ? `the ${champion.learner} baseline` : `version ${champion.version}`
  const pair = (name: 'mse' | 'mae' | 'r2') => `${figure(challenger[name])} against ${figure(champion[name])}`
  const numbers = `MSE ${pair('mse')}, MAE ${pair('mae')}, R² ${pair('r2')} on ${grouped(rows)} forecasts`
  switch (decision.verdict) {
    case 'promote':
      return ['good', `The gate promotes ${model} version ${version} over ${against}: ${numbers}.`]
    case 'reject':
      return ['note', `The gate keeps ${against} and rejects ${model} version ${version}: ${numbers}.`]
    case 'inconclusive':
      return ['note', `The gate cannot tell ${model} version ${version} from ${against} yet: ${numbers}.`]
  }
}

/** Without a signature nothing was sent: the gate had decided against it. */
const tellCompletion = ({
  model,
  version,
  delayMs,
}: Extract<RegistryEvent, { kind: 'run-completed' }>): Sentence => {
  const after = `${figure(delayMs.total / 1_000)} s after its trigger`
  return delayMs.sign === null
    ? ['note', `The training of ${model} version ${version} is closed, ${after}.`]
    : ['good', `${model} version ${version} has reached every agent that is online, ${after}.`]
}

const tellDeployment = ({
  model,
  version,
  agent,
  state,
  reason,
  detail,
}: Extract<RegistryEvent, { kind: 'version-deployed' }>): Sentence => {
  const why = `${reason ?? 'no reason given'}${detail === '' ? '' : `: ${detail}`}`
  switch (state) {
    case 'committed':
      return ['good', `${agent} serves ${model} version ${version}.`]
    case 'refused':
      return ['act', `${agent} refused ${model} version ${version} (${why}) and keeps what it serves.`]
    case 'rolled-back':
      return ['act', `${agent} went back from ${model} version ${version} (${why}).`]
  }
}

const tellCommand = ({
  agent,
  model,
  operation,
  state,
  code,
  detail,
}: Extract<RegistryEvent, { kind: 'command-seen' }>): Sentence => {
  const what = model === null ? operation : `${operation} of ${model}`
  const said = detail === '' ? '' : `: ${detail}`
  if (state === 'succeeded') return ['watch', `A technician's ${what} was carried out by ${agent}${said}.`]
  const coded = code === null ? state : `${state}, ${code}`
  return [
    state === 'refused' || state === 'failed' ? 'act' : 'note',
    `A technician's ${what} at ${agent}: ${coded}${said}.`,
  ]
}

export const tellAlert = ({
  source,
  agent,
  model,
  version,
  alert,
  evidence,
}: Pick<
  Extract<RegistryEvent, { kind: 'alert-raised' }>,
  'source' | 'agent' | 'model' | 'version' | 'alert' | 'evidence'
>): string => {
  const who = agent ?? source
  const about = model === null ? '' : `, ${model}${version === null ? '' : ` version ${version}`}`
  const said = Object.entries(evidence)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${spaced(name)} ${typeof value === 'number' ? grouped(value) : String(value)}`)
    .join(', ')
  return `Alert from ${who}${about}: ${alert}${said === '' ? '' : ` (${said})`}.`
}

const short = (sha256: string): string => sha256.slice(0, 8)
const spaced = (name: string): string => name.replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
const sentenceEnd = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)
const list = (names: readonly string[]): string =>
  names.length > 5 ? `${names.length} agents` : names.join(', ') || 'no agent'
