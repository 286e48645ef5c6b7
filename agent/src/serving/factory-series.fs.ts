/**
 * What each model of this gateway forecasts, kept for the day on which nothing verified is left of it. Losing the file
 * costs no reading and no model: the configuration says it too, and the next version that serves says it again.
 */

import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { writeDurably } from '@imlma/protocol/node'
import { nameSchema } from '@imlma/protocol/wire'
import { forecastedSchema } from './baseline.ts'
import type { ForecastedSeries } from './factory.ts'

const fileSchema = z
  .record(nameSchema, forecastedSchema)
  .refine((models) => Object.keys(models).length <= limits.modelsPerAgentMax, 'too many models')

export interface FactorySeries {
  readonly known: ForecastedSeries
  readonly learn: (known: ForecastedSeries) => void
  /** Resolves when what was learned last is on disk, or is known not to be. */
  readonly close: () => Promise<void>
}

/** `configured` counts where nothing else was learned. */
export const openFactorySeries = async (
  path: string,
  configured: ForecastedSeries,
  onFailure: (cause: unknown) => void,
): Promise<FactorySeries> => {
  await mkdir(dirname(path), { recursive: true })
  const text = await readFile(path, 'utf8').catch(() => undefined)
  let writing = Promise.resolve()
  return {
    known: { ...configured, ...(text === undefined ? {} : parse(text)) },
    learn: (known) => {
      const written = JSON.stringify(
        Object.fromEntries(Object.entries(known).slice(-limits.modelsPerAgentMax)),
      )
      writing = writing.then(() => writeDurably(path, written)).catch(onFailure)
    },
    close: () => writing,
  }
}

/** A file that is not intact says nothing. */
const parse = (text: string): ForecastedSeries => {
  try {
    return fileSchema.parse(JSON.parse(text))
  } catch {
    return {}
  }
}
