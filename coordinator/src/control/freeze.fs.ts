/** Freezes what a model may learn from now, and hands the snapshot over to the artifact store. */

import { accept, type Result } from '@imlma/protocol/result'
import { freezeDataset } from '../datasets/freeze.fs.ts'
import { toQualityRecord } from '../datasets/quality/record.ts'
import type { ModelDefinition } from '../lifecycle/definition.ts'
import type { DatasetQuality, DatasetRecord } from '../registry/events.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'
import type { ReadingsReader } from '../storage/readings.ts'

interface FreezeParts {
  readonly readings: ReadingsReader
  readonly artifacts: Pick<ArtifactStore, 'adopt'>
  /** Where a snapshot lies while it is written. */
  readonly folder: string
}

/** Throws `Failure` NO_SPACE, WRITE_FAILED, STORE_FAILED. */
export const createFreeze =
  ({ readings, artifacts, folder }: FreezeParts, { site }: { readonly site: string }) =>
  async (definition: ModelDefinition): Promise<Result<DatasetRecord>> => {
    const { name: model, register, intervalMs, horizon, data, trigger } = definition
    const frozen = await freezeDataset(
      { readings, folder },
      {
        model,
        site,
        register,
        intervalMs,
        horizon,
        covariates: [],
        windowMsMax: data.windowMsMax,
        evaluationMs: data.evaluationMs,
        // The trigger counts what arrived; of that, the share that is fit for training must be complete enough.
        readingsMin: Math.ceil(trigger.readingsMin * data.completenessMin),
        completenessMin: data.completenessMin,
        quality: definition.quality,
        unit: definition.unit,
        zone: definition.zone,
      },
    )
    if (!frozen.ok) return frozen
    const { content, snapshot } = frozen.value
    const { sha256, bytes } = await artifacts.adopt(snapshot.path)
    return accept({
      sha256,
      bytes,
      series: content.series.length,
      readings: frozen.value.readings,
      window: { ...content.window },
      trainEnd: content.trainEnd,
      evaluation: { ...content.evaluation },
      provenance: content.provenance.map((one) => ({ ...one, ...signedBy(readings, site, one.agent) })),
      quality: toDatasetQuality(frozen.value.quality),
    })
  }

/** Looked up after the readings were: the chain may reach beyond them, never fall short. */
const signedBy = (readings: ReadingsReader, site: string, agent: string) => {
  const signed = readings.signedHistory(site, agent)
  // Of the keys of a long life the latest are named; all are in the store.
  return signed && { signed: { ...signed, keyids: signed.keyids.slice(-keyidsMax) } }
}

const keyidsMax = 256

const toDatasetQuality = (series: Parameters<typeof toQualityRecord>[0]): DatasetQuality => {
  const record = toQualityRecord(series)
  return {
    ...record,
    flagged: { ...record.flagged },
    series: record.series.map((one) => ({ ...one, flagged: { ...one.flagged } })),
  }
}
