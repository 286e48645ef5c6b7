/**
 * The control centre without its broker: registry, triggers, training, gate, rollout, fleet, API and page, put
 * together in the order in which they need each other, and stopped in the reverse one.
 */

import { mkdir } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { crc32, verifySignature } from '@imlma/protocol/node'
import type { ServerTls } from '../api/server.http.ts'
import { createBrokerClient, type BrokerClientOptions } from '../broker/client.mqtt.ts'
import { feedFleet } from '../fleet/fleet-feed.timer.ts'
import { createFleetStore } from '../fleet/fleet-store.kysely.ts'
import { createMergedLatency } from '../fleet/latency-merge.sketches.ts'
import { createLiveFleet } from '../fleet/live-fleet.ts'
import { hashRows } from '../gate/rows.crypto.ts'
import type { Layout } from '../layout.ts'
import { toShadowRules, type ModelDefinition } from '../lifecycle/definition.ts'
import { createEffects, type EffectParts } from '../lifecycle/effects.ts'
import { createExamine } from '../lifecycle/registration/examine.ts'
import { createRegistrations, registeredIn } from '../lifecycle/registration/registrations.ts'
import { createJudge } from '../lifecycle/judge.ts'
import { createLifecycle } from '../lifecycle/lifecycle.ts'
import { createStudies } from '../lifecycle/studies.ts'
import type { Log } from '../log.pino.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import { createFleetWait } from '../rollout/fleet-wait.timer.ts'
import { createRollout } from '../rollout/rollout.ts'
import { createRolloutStore } from '../rollout/store.ts'
import { createTransfer } from '../rollout/transfer.ts'
import { createShadowKeeper } from '../shadow/keeper.ts'
import { createArtifactStore } from '../storage/artifacts.fs.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import type { ReadingsReader } from '../storage/readings.ts'
import { createStateStore } from '../storage/states.kysely.ts'
import { createExaminer, createTrainer } from '../training/trainer.fork.ts'
import { createTriggerBook } from '../triggers/trigger-book.ts'
import { establishTrust } from '../trust/establish.fs.ts'
import { createControlView } from './control-view.ts'
import { openRecords } from './records.process.ts'
import { createRegister } from './register.ts'
import { createReleaseSeal } from './release.timer.ts'
import { createUploads } from './uploads.fs.ts'
import { createFreeze } from './freeze.fs.ts'
import { openFrontDoor } from './front-door.process.ts'
import { createHealth } from './health.ts'
import { createPassOn } from './pass-on.ts'
import { rootsInForce } from './roots-in-force.ts'
import { createSignedVersions } from './signed-versions.ts'
import { listenToAgents } from './agent-facts.ts'
import { listenToBroker } from './broker-facts.ts'
import { openEnrolment, type EnrolmentOptions } from './enrolment.process.ts'
import { every } from './every.timer.ts'
import { createReadingsOf } from './latest-reading.ts'
import { openArtifact, readTrials } from './stored.fs.ts'
import { followShadows } from './shadows.ts'
import { keepSwept } from './sweeping.timer.ts'

export interface CentreOptions {
  readonly layout: Layout
  readonly site: string
  readonly host: string
  readonly port: number
  readonly brokerUrl: string
  /** What is shown to a broker behind `mqtts://`. */
  readonly brokerTls?: BrokerClientOptions['tls'] | undefined
  readonly definitions: readonly ModelDefinition[]
  readonly version: string
  /** Of a certified site: where its gateways enrol. */
  readonly enrolment?: EnrolmentOptions
  /** Of API and page. */
  readonly tls?: ServerTls
}

/** Where versions come from: what freezes readings, trains on them, and judges what came out. */
export type Learning = Pick<EffectParts, 'freeze' | 'trainer' | 'judge'>

export interface CentreParts {
  readonly readings: ReadingsReader
  readonly log: Log
  /** Puts something else in the place of our own learning: a benchmark of what follows it leaves it out. */
  readonly learning?: (ours: Learning, artifacts: ArtifactStore) => Learning
}

export interface Centre {
  readonly url: string
  /** Of the gateway listener of a certified site. */
  readonly gatewayUrl: string | undefined
  /** See `FrontDoor`: a secret. */
  readonly setupUrl: string | undefined
  readonly stop: () => Promise<void>
}

/** How often the triggers are looked at: the detection part of an update's delay. */
const tickMs = 200
/** How often a root that was left in the trust folder, and assignments that time alone changes, are looked for. */
const reviewMs = 2_000
/** How much of what was compared in shadow a power cut may take; one small document a model. */
const shadowFlushMs = 2_000

export const startCentre = async (
  { readings, log, learning = (ours) => ours }: CentreParts,
  options: CentreOptions,
): Promise<Centre> => {
  const { layout, site, definitions, version: codeVersion } = options
  const now = Date.now
  const startedAt = now()
  const onFailure = (error: unknown): void => log.error({ err: error }, 'something failed and is tried again')

  await mkdir(layout.training, { recursive: true })
  const db = openDatabase(layout.registry)
  const registry = await openRegistry({ db, head: createHeadFile(layout.registryHead) })
  const states = createStateStore(db)
  const artifacts = await createArtifactStore(layout.artifacts)
  const trust = await establishTrust(layout.trust, { now: now() })
  const signed = await createSignedVersions(
    { registry, artifacts },
    definitions.map(({ name }) => name),
  )

  const { brokerUrl, brokerTls } = options
  const client = createBrokerClient({
    url: brokerUrl,
    clientId: `coordinator:${site}`,
    ...(brokerTls && { tls: brokerTls }),
  })
  const fleet = await createLiveFleet({
    store: createFleetStore(db),
    newLatency: createMergedLatency,
    referenceOf: signed.referenceOf,
    onListenerError: onFailure,
  })
  const recordsParts = { client, registry, states, readings, trust, now, onFailure }
  const records = await openRecords(recordsParts, options)
  const rollout = await createRollout(
    {
      client,
      fleet,
      registry,
      store: createRolloutStore(states, now),
      seal: (_type, document) => records.sealDesired(document),
      envelope: signed.envelope,
      roots: rootsInForce(trust.chain),
      waits: createFleetWait(),
      now,
      onFailure,
    },
    signed.champions(),
    { site },
  )
  const reviewTrust = async (): Promise<void> => {
    await trust.refresh()
    await rollout.review()
  }
  const transfer = createTransfer({ client, artifacts, crc32, isServable: signed.isServable, onFailure })

  const book = createTriggerBook(states)
  const lookAtTrigger = (definition: ModelDefinition, running: boolean) =>
    book.look(definition, {
      now: now(),
      filled: readings.filled(site, definition.register, definition.intervalMs),
      running,
    })
  const shadows = await createShadowKeeper(
    { registry, fleet, states, now, onFailure },
    new Map(definitions.map((definition) => [definition.name, toShadowRules(definition)])),
  )
  const endShadows = await followShadows({ registry, rollout, onFailure }, definitions)

  const trainer = ({ training }: ModelDefinition) => createTrainer(training)
  const registrations = createRegistrations(states, registry)
  const examiner = ({ training }: ModelDefinition) => createExaminer(training)
  const newRunId = () => `run-${randomUUID().slice(0, 8)}`
  const definitionOf = (model: string) => definitions.find(({ name }) => name === model)
  const lifecycle = await createLifecycle(
    {
      registry,
      decideTrigger: async (definition) => {
        const registered = await registrations.next(definition.name, now())
        if (registered !== undefined) return registered
        const decision = await lookAtTrigger(definition, false)
        return decision.fire ? decision.trigger : undefined
      },
      concludeShadow: ({ name }) => shadows.conclude(name),
      onStarted: async (model, trigger) => {
        // Nothing is trained by a registration: readings go on being counted from the last training.
        if (registeredIn(trigger) !== undefined) return registrations.started(model, trigger)
        const definition = definitionOf(model)
        if (definition !== undefined) await book.started(definition, trigger)
      },
      perform: createEffects({
        registry,
        artifacts,
        ...learning(
          {
            freeze: createFreeze({ readings, artifacts, folder: layout.training }, { site }),
            trainer,
            judge: createJudge({ artifacts, evaluator: trainer, hashRows }),
          },
          artifacts,
        ),
        examine: createExamine({ artifacts, examiner }),
        studies: createStudies(states, now),
        seal: createReleaseSeal(trust, layout.trust),
        rollout,
        outputFolder: layout.training,
        codeVersion,
        now,
      }),
      newRunId: (trigger) => registeredIn(trigger)?.run ?? newRunId(),
      now,
      onFailure,
    },
    definitions,
  )

  const control = createControlView(
    {
      registry,
      fleet,
      lifecycle,
      shadows,
      readings,
      definitions,
      lookAtTrigger: (definition) =>
        lookAtTrigger(definition, lifecycle.progress(definition.name).run !== null),
      askForTraining: async (definition, reason) => {
        await book.request(definition, 'manual', reason, now())
        await lifecycle.tick()
      },
      acceptRoot: async (envelope) => {
        const accepted = await trust.chain.accept(envelope)
        if (accepted.ok) await reviewTrust()
        return accepted
      },
      passOnCommand: createPassOn(
        { root: trust.chain.current, verify: verifySignature, client, registry, now },
        { site },
      ),
      openArtifact: (sha256) => openArtifact(artifacts.path, sha256),
      contextLength: signed.contextLength,
      trialsOf: async (sha256) => readTrials(await artifacts.get(sha256)),
      register: createRegister({
        uploads: await createUploads({ folder: layout.uploads }),
        artifacts,
        registrations,
        examiner,
        registry,
        lifecycle,
        definitions,
        readingsOf: createReadingsOf(readings, site),
        newRunId,
        now,
      }),
      health: createHealth({ client, readings, now }, options.brokerUrl),
      now,
    },
    { site, version: codeVersion, startedAt },
  )
  const door = await openFrontDoor({ control, states, registry, now, onFailure }, options)

  const endFleet = await feedFleet({ client, fleet, now, onFailure })
  await listenToAgents({ client, fleet, registry, now, onFailure })
  await listenToBroker({ client, registry, now, onFailure })
  await records.start()
  await client.subscribe('fetch', transfer.accept)
  const enrolment = await openEnrolment(
    { trust, registry, states, artifacts, isServable: signed.isServable, now, onFailure },
    options.enrolment,
  )
  const endTicks = every(tickMs, lifecycle.tick, onFailure)
  const endShadowFlush = every(shadowFlushMs, shadows.flush, onFailure)
  const endRefresh = every(1_000, control.refresh, onFailure)
  const endReview = every(reviewMs, reviewTrust, onFailure)
  const endSweep = keepSwept({ db, log, now, onFailure }, { folder: layout.artifacts })

  return {
    url: door.url,
    gatewayUrl: enrolment?.url,
    setupUrl: door.setupUrl,
    stop: async () => {
      await enrolment?.stop()
      await Promise.all([endTicks(), endShadowFlush(), endRefresh(), endReview(), endSweep()])
      await door.close()
      await lifecycle.stop()
      endShadows()
      await rollout.stop()
      await endFleet()
      await shadows.stop()
      await records.stop()
      signed.close()
      await client.close()
      await registry.close()
    },
  }
}
