import { describe, expect, test } from 'vitest'
import {
  addTallies,
  emptyTally,
  lineOf,
  tallyOfCheck,
  tallyOfTests,
  withNothingFailed,
  withSkipsFailed,
} from './tally.ts'

const report = { passed: 3, failed: [], skipped: [{ name: 'page', reason: 'install chromium' }] }

describe('the tally of a run', () => {
  test('each check counts as one, passed or failed', () => {
    expect(lineOf(addTallies(tallyOfCheck('format', 0), tallyOfCheck('lint', 1)))).toBe('1 passed, 1 failed')
  })

  test('skipped tests follow only where there are some', () => {
    expect(lineOf(report)).toBe('3 passed, 0 failed, 1 skipped')
    expect(lineOf(emptyTally)).toBe('0 passed, 0 failed')
  })

  test('a skipped test is a failed one where nothing may be missing', () => {
    expect(withSkipsFailed(report)).toEqual({
      passed: 3,
      failed: ['page (skipped: install chromium)'],
      skipped: [],
    })
  })

  test('words that no test’s path holds are a failure, and so is a run without tests', () => {
    expect(withNothingFailed(emptyTally, ['outbx', 'link']).failed).toEqual([
      'no test has "outbx" or "link" in its path',
    ])
    expect(withNothingFailed(emptyTally, []).failed).toEqual(['no test has run'])
    for (const some of [report, { ...emptyTally, failed: ['a'] }, { ...report, passed: 0 }])
      expect(withNothingFailed(some, ['outbox'])).toEqual(some)
  })

  test('a runner that fails without a failed test is a failure of its own', () => {
    expect(tallyOfTests('unit', 0, report)).toEqual(report)
    expect(tallyOfTests('unit', 1, report).failed).toEqual(['unit: the test runner failed by itself'])
    expect(tallyOfTests('unit', 0, undefined).failed).toHaveLength(1)
    expect(tallyOfTests('unit', 1, { ...report, failed: ['a'] }).failed).toEqual(['a'])
  })
})
