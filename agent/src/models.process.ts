/** The room of the models with its files: deployment state, followed roots, artifacts and manifests. */

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Manifest } from '@imlma/protocol/manifest'
import { crc32, sha256 as hashOf, verifySignature } from '@imlma/protocol/node'
import { accept } from '@imlma/protocol/result'
import { fromBase64, type Envelope } from '@imlma/protocol/trust'
import type { Alarms } from './alarms.ts'
import { openClock } from './clock.process.ts'
import type { Configuration } from './configuration.ts'
import type { Forwarder } from './link/forwarder.timer.ts'
import type { Link } from './link/link.ts'
import type { Log } from './log.pino.ts'
import type { Recorder } from './audit/recorder.ts'
import { claimedManifest } from './models/admission.ts'
import type { LiveSeries } from './models/live-series.ts'
import { startModels, type Models, type ReportedModels } from './models/models.ts'
import type { ProbationOptions } from './models/probation.ts'
import { openRoots } from './models/roots.fs.ts'
import { keepScrubbed } from './models/scrub.timer.ts'
import { openState } from './models/state.lowdb.ts'
import { openStore } from './models/store.fs.ts'
import { keepRetrying } from './models/retry.timer.ts'
import type { GatewayAccess } from './models/transfer.tls.ts'
import { createTransfer, type Transfer } from './models/transfer.ts'
import type { Trials } from './models/trials.ts'
import { wait } from './models/wait.timer.ts'
import { alongWays, withRateFloor } from './models/ways.ts'
import type { ModelIdentity, Serving } from './serving/serving.ts'
import type { Workers } from './serving/worker/workers.process.ts'

export interface ModelRooms {
  /** The manifest of a version that is being loaded: verified before anyone loads it. */
  readonly manifest: (identity: ModelIdentity) => Promise<Manifest | undefined>
  /** Nothing at all before `start`. */
  readonly reportedModels: () => ReportedModels
  readonly start: (
    parts: StartParts,
    address: { readonly site: string; readonly agent: string },
  ) => Promise<Models>
}

interface StartParts {
  readonly anchor: Envelope
  readonly alarms: Alarms
  readonly log: Log
  readonly serving: Serving & Pick<Workers, 'onLost'>
  /** Runs what runs beside the champions. */
  readonly shadows: Serving
  readonly trials: Trials
  readonly liveSeries: () => readonly LiveSeries[]
  readonly forwarder: Pick<Forwarder, 'resendFrom'>
  readonly reportNow: () => void
  readonly audit: Pick<Recorder, 'record' | 'recordOnce'>
  readonly options: ModelSettings
  /** The gateway listener, where this agent is enrolled. */
  readonly access: (() => GatewayAccess) | undefined
}

type ModelSettings = Pick<
  Configuration,
  | 'modelsBytesMax'
  | 'transferBytesPerSecondMin'
  | 'probationForecasts'
  | 'probationHours'
  | 'probationErrorRatioMax'
>

export const openModels = async (
  folder: string,
  link: Link,
  { modelsBytesMax }: Pick<ModelSettings, 'modelsBytesMax'>,
): Promise<ModelRooms> => {
  const store = await openStore({ folder, bytesMax: modelsBytesMax })
  const file = await openState(join(folder, 'state.json'))
  const roots = await openRoots(join(folder, '..', 'trust', 'followed-roots.json'))
  let models: Models | undefined
  return {
    reportedModels: () => models?.reportedModels() ?? { desiredCounter: 0, rootVersion: 0, models: {} },
    manifest: async ({ sha256 }) => {
      const envelope = await store.manifest(sha256)
      return envelope === undefined ? undefined : claimedManifest(envelope)
    },
    start: async (
      {
        anchor,
        alarms,
        log,
        serving,
        shadows,
        trials,
        liveSeries,
        forwarder,
        reportNow,
        audit,
        options,
        access,
      },
      address,
    ) => {
      let latest: Uint8Array | undefined
      const onTrusted = (): void => void (latest && models?.desired(latest))
      const kept = await openClock(join(folder, '..'), { alarms, log, audit, onTrusted })
      const started = await startModels(
        {
          store,
          file,
          roots,
          anchor,
          verify: verifySignature,
          serving,
          trials,
          liveSeries,
          shadowServing: { start: shadows.activate, stop: shadows.deactivate, onRun: shadows.onRun },
          transfer: await openWays(link, access, options),
          link,
          clock: kept.clock,
          monotonicMs: () => performance.now(),
          wait,
          random: Math.random,
          raise: alarms.raise,
          onFailure: (cause) => log.error({ err: cause }, 'models'),
          report: reportNow,
          audit: { ...audit, digestOf: (base64) => hashOf(fromBase64(base64)) },
          resend: async (fromSequence) => {
            forwarder.resendFrom(fromSequence)
            return accept(`batches from ${fromSequence} on that are still held are sent again`)
          },
        },
        { ...address, ...toProbation(options) },
      )
      const endScrub = keepScrubbed(started.scrub, (cause) => log.error({ err: cause }, 'models'))
      const endRetry = keepRetrying(() => link.connected() && started.connected(), Math.random)
      models = {
        ...started,
        desired: (payload) => {
          latest = payload
          return started.desired(payload)
        },
        stop: async () => {
          endRetry()
          await endScrub()
          await started.stop()
          await kept.stop()
        },
      }
      return models
    },
  }
}

/** Over HTTPS where this gateway is enrolled, else and after that over the broker, which may be the better line. */
const openWays = async (
  link: Link,
  access: (() => GatewayAccess) | undefined,
  { transferBytesPerSecondMin: bytesPerSecondMin }: ModelSettings,
): Promise<Pick<Transfer, 'fetch'>> => {
  const ways: Pick<Transfer, 'fetch'>[] = [
    createTransfer({ link, crc32, requestId: randomUUID, wait, random: Math.random }),
  ]
  if (access !== undefined) {
    // Agents of open sites are spared it.
    const { createHttpsTransfer } = await import('./models/transfer.tls.ts')
    ways.unshift(createHttpsTransfer({ access }))
  }
  return alongWays(ways.map((way) => withRateFloor(way, { wait }, { bytesPerSecondMin })))
}

const hourMs = 3_600_000

const toProbation = (settings: ModelSettings): ProbationOptions => ({
  probationRuns: settings.probationForecasts,
  probationEventMs: settings.probationHours * hourMs,
  probationErrorRatioMax: settings.probationErrorRatioMax,
  // Readings may stay away: after twice the time the probation ends with what was seen.
  ...(settings.probationHours > 0 && { probationMs: 2 * settings.probationHours * hourMs }),
})
