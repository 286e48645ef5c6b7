import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseTask } from './task.ts'

const good = {
  name: 'load',
  data: 'load.csv',
  time: { column: 'time' },
  intervalMinutes: 60,
  targets: ['load'],
  context: 24,
  horizon: 24,
  split: { by: 'share', validation: 0.2, test: 0.2 },
}
const regression = {
  name: 'plant',
  kind: 'regression',
  data: 'plant.csv',
  targets: ['energy'],
  covariates: [{ column: 'current' }],
  split: { by: 'share', validation: 0.2, test: 0.2 },
}
const parse = (task: object) => parseTask(JSON.stringify(task))

describe('a task', () => {
  test('is filled with what it leaves out', () => {
    expect(parse(good)).toMatchObject({
      ok: true,
      value: {
        kind: 'forecast',
        learner: 'auto',
        trials: 30,
        seed: 1,
        scaling: 'none',
        stride: 1,
        refit: true,
      },
    })
    expect(parse(regression)).toMatchObject({ ok: true, value: { horizon: 1 } })
  })

  test.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['a field that it does not know', { ...good, learnr: 'ridge' }],
    ['no targets', { ...good, targets: [] }],
    ['a forecast without a time column', { ...good, time: undefined }],
    ['a forecast without an interval', { ...good, intervalMinutes: undefined }],
    ['a forecast without a context', { ...good, context: undefined }],
    ['a horizon of 0', { ...good, horizon: 0 }],
    ['a format of time that nobody knows', { ...good, time: { column: 'time', format: 'YY' } }],
    ['nothing to train on', { ...good, split: { by: 'share', validation: 0.5, test: 0.5 } }],
    ['an unknown kind of split', { ...good, split: { by: 'moon' } }],
    ['a date without a zone', { ...good, from: '2014-01-01T00:00:00' }],
    ['a target as covariate', { ...good, covariates: [{ column: 'load' }] }],
    [
      'a regression by dates',
      {
        ...regression,
        split: { by: 'dates', validationFrom: '2014-01-01T00:00:00Z', testFrom: '2014-02-01T00:00:00Z' },
      },
    ],
    ['a regression with a horizon', { ...regression, horizon: 2 }],
    ['a regression on nothing', { ...regression, covariates: [] }],
  ])('with %s is refused', (_, task) => {
    expect(parseTask(typeof task === 'string' ? task : JSON.stringify(task))).toMatchObject({
      ok: false,
      refusal: { code: 'BAD_TASK' },
    })
  })

  test('says which field is wrong', () => {
    const refused = parse({ ...good, horizon: 'a day' })
    expect(refused.ok ? '' : refused.refusal.message).toContain('horizon')
  })

  test('of the project can be used, every one of them', async () => {
    const folder = join(import.meta.dirname, '..', '..', 'tasks')
    const files = await readdir(folder)
    expect(files.length).toBeGreaterThanOrEqual(7)
    for (const file of files) {
      expect({ file, ...parseTask(await readFile(join(folder, file), 'utf8')) }).toMatchObject({
        file,
        ok: true,
      })
    }
  })
})
