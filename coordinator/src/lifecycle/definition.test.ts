import { expect, test } from 'vitest'
import { learnersNamed } from '../training/learners.ts'
import { modelDefinitionSchema } from './definition.ts'

const definition = {
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.8.0',
  intervalMs: 3_600_000,
  horizon: 24,
  trigger: { volume: 1_000, intervalMs: 86_400_000, readingsMin: 1_000 },
}

test('a study chooses from the learners that it is given, and a name that is none is refused with those that are', () => {
  const study = { learners: ['ridge', 'recurrent'] }
  expect(modelDefinitionSchema.parse({ ...definition, study }).study.learners).toEqual(study.learners)
  const refused = modelDefinitionSchema.safeParse({ ...definition, study: { learners: ['oracle'] } })
  expect(refused.error?.issues[0]).toMatchObject({
    path: ['study', 'learners', 0],
    message: expect.stringContaining('ridge, trees, perceptron'),
  })
})

test.each([
  ['that no learner has', { parameters: { base: 'ridge' } }, ['parameters', 'base'], 'by learner'],
  [
    'of a learner that is not chosen from',
    { parameters: { recurrent: {} } },
    ['parameters', 'recurrent'],
    'trees',
  ],
  ['that are no object', { parameters: { trees: 3 } }, ['parameters', 'trees'], 'an object'],
  ['and no time to train', { study: { secondsMax: 900 } }, ['study', 'secondsMax'], 'no time'],
])('auto with parameters %s is refused where it is defined', (_, more, path, message) => {
  const study = { learners: ['ridge', 'trees'] }
  const auto = {
    ...definition,
    learner: 'auto',
    ...more,
    study: { ...study, ...('study' in more && more.study) },
  }
  const [issue] = modelDefinitionSchema.safeParse(auto).error?.issues ?? []
  expect(issue).toMatchObject({ path, message: expect.stringContaining(message) })
  expect(modelDefinitionSchema.safeParse({ ...definition, learner: 'ridge', ...more }).success).toBe(true)
})

test('every learner that a definition knows is there', () => {
  const { innerType } = modelDefinitionSchema.shape.learner.def
  const names = innerType.options.filter((name) => name !== 'auto')
  expect(learnersNamed(names).map(({ name }) => name)).toEqual(names)
})
