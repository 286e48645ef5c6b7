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
      provenance: content.provenance.map((one) => ({ ...one })),
      quality: toDatasetQuality(frozen.value.quality),
    })
  }

const toDatasetQuality = (series: Parameters<typeof toQualityRecord>[0]): DatasetQuality => {
  const record = toQualityRecord(series)
  return {
    ...record,
    flagged: { ...record.flagged },
    series: record.series.map((one) => ({ ...one, flagged: { ...one.flagged } })),
  }
}
