/**
 * What a run of all checks says in the end: one plain line that a person and a machine read alike, and an exit code.
 */

export interface SkippedTest {
  readonly name: string
  /** What is missing and how to get it; the note of `context.skip(condition, note)`. */
  readonly reason: string
}

export interface Tally {
  readonly passed: number
  /** Names of what failed: tests, files that did not load, checks. */
  readonly failed: readonly string[]
  readonly skipped: readonly SkippedTest[]
}

export const emptyTally: Tally = { passed: 0, failed: [], skipped: [] }

export const addTallies = (a: Tally, b: Tally): Tally => ({
  passed: a.passed + b.passed,
  failed: [...a.failed, ...b.failed],
  skipped: [...a.skipped, ...b.skipped],
})

/** A check that is not made of tests (formatting, lint, types) counts as one. */
export const tallyOfCheck = (name: string, exitCode: number): Tally =>
  exitCode === 0 ? { ...emptyTally, passed: 1 } : { ...emptyTally, failed: [name] }

/**
 * The tally of a test run. A runner that failed without naming a failed test (a crash, an unhandled rejection,
 * no report at all) is a failure of its own.
 */
export const tallyOfTests = (name: string, exitCode: number, report: Tally | undefined): Tally => {
  const tally = report ?? emptyTally
  const explained = tally.failed.length > 0 || (exitCode === 0 && report !== undefined)
  return explained ? tally : { ...tally, failed: [`${name}: the test runner failed by itself`] }
}

/**
 * The tally of all sections with tests: one of nothing is a failure, so that a mistyped word does not look like success.
 * `words`: what was asked for of the paths, none for all tests.
 */
export const withNothingFailed = (tally: Tally, words: readonly string[]): Tally => {
  if (tally.passed + tally.failed.length + tally.skipped.length > 0) return tally
  const wanted = words.map((word) => `"${word}"`).join(' or ')
  return { ...tally, failed: [`no test has ${wanted === '' ? 'run' : `${wanted} in its path`}`] }
}

/** Where everything a test needs must be there (continuous integration), a skipped test is a failed one. */
export const withSkipsFailed = (tally: Tally): Tally => ({
  passed: tally.passed,
  failed: [...tally.failed, ...tally.skipped.map(({ name, reason }) => `${name} (skipped: ${reason})`)],
  skipped: [],
})

/** `12 passed, 0 failed` and, when there are some, `, 2 skipped`. */
export const lineOf = ({ passed, failed, skipped }: Tally): string =>
  `${passed} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`
