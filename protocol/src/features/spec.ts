/** A feature spec as it is accepted: its fields are right, and what it asks for is within the limits. */
import { limits } from '../limits.ts'
import { dayMs } from '../series/index.ts'
import { contextLengthOf, featureCount } from './extent.ts'
import { fieldsSchema } from './fields.ts'

export const featureSpecSchema = fieldsSchema
  .refine((spec) => dayMs % spec.intervalMs === 0, 'a day must be a whole number of intervals')
  .refine((spec) => contextLengthOf(spec) <= limits.contextLengthMax, 'the context is too long')
  .refine((spec) => featureCount(spec) <= limits.featuresMax, 'a row has too many columns')
