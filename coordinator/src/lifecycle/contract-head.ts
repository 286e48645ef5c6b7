/** What every contract of a model says, whoever made the version: the definition's series, and how the features see it. */

import { contextLengthOf, type FeatureSpec } from '@imlma/protocol/features'
import type { Contract } from '@imlma/protocol/manifest'
import type { ModelDefinition } from './definition.ts'

export const contractHead = (
  { quantity, unit, register, intervalMs }: ModelDefinition,
  features: FeatureSpec,
): Omit<Contract, 'inputs' | 'outputs' | 'quantiles'> => ({
  task: 'forecast',
  quantity,
  unit,
  register,
  intervalMs,
  contextLength: contextLengthOf(features),
  horizon: features.horizon,
  features,
})
