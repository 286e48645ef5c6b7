/**
 * A model that was made elsewhere asks to compete. What can be said at once is said at once: a contract that contradicts
 * the definition, a file that is no model, one that has seen the data it would be judged on. The rest needs a frozen
 * dataset and is found out by the run, which starts as soon as no other one of the model is under way.
 */

import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import { encodeJson } from '@imlma/protocol/wire'
import type { Control, RegistrationRequest } from '../api/control.ts'
import type { ModelDefinition } from '../lifecycle/definition.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import {
  parseContractFile,
  toRegistrationRecord,
  type ContractDraft,
} from '../lifecycle/registration/contract-file.ts'
import { registeredIn, type Registrations } from '../lifecycle/registration/registrations.ts'
import type { Registry } from '../registry/registry.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'
import type { Examiner } from '../training/trainer.fork.ts'
import type { Uploads } from './uploads.fs.ts'

export interface RegisterParts {
  readonly uploads: Uploads
  readonly artifacts: Pick<ArtifactStore, 'adopt' | 'put' | 'path'>
  readonly registrations: Registrations
  readonly examiner: (definition: ModelDefinition) => Pick<Examiner, 'inspect'>
  readonly registry: Pick<Registry, 'append' | 'runEvents'>
  readonly lifecycle: Pick<Lifecycle, 'progress' | 'tick'>
  readonly definitions: readonly ModelDefinition[]
  /** Trainable readings of the model so far, and the time of the newest one. */
  readonly readingsOf: (definition: ModelDefinition) => { filled: number; lastAt: number | undefined }
  readonly newRunId: () => string
  readonly now: () => number
}

export const createRegister = (
  parts: RegisterParts,
): Pick<Control, 'upload' | 'register' | 'registrations'> => ({
  upload: async (sha256, content, by = 'nobody') => {
    const received = await parts.uploads.receive(sha256, content)
    if (!received.ok) return received
    const { bytes } = received.value
    await parts.registry.append([{ kind: 'upload', sha256, bytes, by: by.slice(0, 100) }], parts.now())
    return received
  },
  registrations: async (model) =>
    (await parts.registrations.waiting(model)).map(({ run, artifactSha256, note, at }) => ({
      run,
      artifactSha256,
      note,
      at,
    })),
  register: async (model, request) => {
    const definition = parts.definitions.find(({ name }) => name === model)
    if (definition === undefined) return refuse('UNKNOWN_MODEL', `there is no model ${model}`)
    const draft = parseContractFile(request.contract, definition)
    if (!draft.ok) return draft
    const possible = checkReadings(definition, draft.value, parts.readingsOf(definition))
    if (!possible.ok) return possible
    return enqueue(parts, definition, draft.value, request)
  },
})

const enqueue = async (
  parts: RegisterParts,
  definition: ModelDefinition,
  draft: ContractDraft,
  { artifact, note, by }: RegistrationRequest,
): Promise<Result<{ run: string; waitsFor: number }>> => {
  const { name: model } = definition
  const uploaded = await parts.uploads.path(artifact)
  // Whoever asks again, having had no answer, finds the file where the first attempt has put it.
  const path = uploaded ?? (await parts.artifacts.path(artifact))
  if (path === undefined) {
    return refuse(
      'UNKNOWN_ARTIFACT',
      `no file ${artifact} was sent`,
      `PUT it to /api/v1/uploads/${artifact} first`,
    )
  }
  const inspected = await refusing(() => parts.examiner(definition).inspect({ path, ...draft }))
  if (!inspected.ok) return inspected
  const contract = await parts.artifacts.put(
    encodeJson(toRegistrationRecord(draft, inspected.value, definition)),
  )
  const underWay = await sameUnderWay(parts, model, artifact, contract.sha256)
  if (underWay !== undefined) return accept({ run: underWay, waitsFor: 0 })
  if (uploaded !== undefined) await parts.artifacts.adopt(uploaded)
  const run = parts.newRunId()
  const at = parts.now()
  const said = note === '' ? draft.provenance.note : note
  const added = await parts.registrations.add(model, {
    run,
    artifactSha256: artifact,
    contractSha256: contract.sha256,
    note: said,
    by,
    at,
  })
  if (!added.ok) return added
  await parts.lifecycle.tick()
  return accept({ run: added.value.run, waitsFor: await waitsFor(parts, model, added.value.run) })
}

/** Refused only where it is sure: what is missing now will not be there when the run starts. */
const checkReadings = (
  { name, trigger, data, intervalMs }: ModelDefinition,
  { provenance: { trainedUntil } }: ContractDraft,
  { filled, lastAt }: ReturnType<RegisterParts['readingsOf']>,
): Result<void> => {
  if (filled < trigger.readingsMin || lastAt === undefined) {
    return refuse(
      'READINGS_MISSING',
      `${filled} of the ${trigger.readingsMin} readings that a comparison needs are there`,
      `register it again when ${name} has enough readings (imlma status)`,
    )
  }
  const judgedFrom = lastAt + intervalMs - data.evaluationMs
  if (trainedUntil <= judgedFrom) return accept(undefined)
  const [until, from] = [trainedUntil, judgedFrom].map((time) => new Date(time).toISOString())
  return refuse(
    'OVERLAP',
    `it was trained on data until ${until}, the gate would judge it on data from ${from} on`,
    'register it again when enough later readings are there, or train it on data that ends earlier',
  )
}

/** The run that an earlier attempt of the same sender has started, as long as it is under way. */
const sameUnderWay = async (
  { registry, lifecycle }: RegisterParts,
  model: string,
  artifact: string,
  contract: string,
): Promise<string | undefined> => {
  const { run } = lifecycle.progress(model)
  const [started] = await registry.runEvents(model)
  if (started?.event.kind !== 'retraining-triggered' || started.event.run !== run) return undefined
  const registered = registeredIn(started.event.trigger)
  const same = registered?.artifactSha256 === artifact && registered.contractSha256 === contract
  return same ? run : undefined
}

/** Runs that come before it, the one that is under way among them. */
const waitsFor = async (
  { registrations, lifecycle }: RegisterParts,
  model: string,
  run: string,
): Promise<number> => {
  const before = (await registrations.waiting(model)).findIndex((waiting) => waiting.run === run)
  const current = lifecycle.progress(model).run
  return Math.max(0, before) + (current === null || current === run ? 0 : 1)
}

/** Whatever an inspection fails with, also a crash of the runtime, is about the file that was sent: it is refused. */
const refusing = async <Value>(work: () => Promise<Value>): Promise<Result<Value>> => {
  try {
    return accept(await work())
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const { code, message, hint } = error
    return refuse(code, message, hint)
  }
}
