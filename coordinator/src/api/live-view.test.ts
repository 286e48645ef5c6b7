import { noErrors } from '@imlma/protocol/metrics'
import { describe, expect, test } from 'vitest'
import { toLiveOfFleet } from './live-view.ts'
import { liveSchema } from './views/common.ts'

describe('how a version does', () => {
  const performance = {
    model: 'load',
    version: 2,
    runs: 1,
    failures: 0,
    latencyMs: null,
    errors: noErrors,
    baseline: noErrors,
    psi: {},
  }

  test('says what share of the actuals lay in their range, and of how many', () => {
    const live = liveSchema.parse(toLiveOfFleet({ ...performance, coverage: { inside: 12, count: 16 } }))
    expect(live.coverage).toEqual({ share: 0.75, rows: 16 })
  })

  test('says nothing of a range that forecasts do not have, or that has met nothing yet', () => {
    expect('coverage' in toLiveOfFleet(performance)).toBe(false)
    expect('coverage' in toLiveOfFleet({ ...performance, coverage: { inside: 0, count: 0 } })).toBe(false)
  })
})
