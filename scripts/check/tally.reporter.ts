/**
 * A vitest reporter that writes the run's `Tally` as JSON to the file named by `IMLMA_TALLY`. Vitest's own JSON report
 * leaves out why a test was skipped, which is what the person who reads the skip wants to know.
 */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import type { SkippedTest, Tally } from './tally.ts'

const noReason = 'no reason given; skip with `context.skip(condition, "what is missing, how to get it")`'

const nameOf = (test: TestCase): string => `${test.module.relativeModuleId} > ${test.fullName}`

const tallyOf = (modules: readonly TestModule[], unhandled: number): Tally => {
  let passed = 0
  const failed: string[] = []
  const skipped: SkippedTest[] = []
  for (const module of modules) {
    // A file that does not load, and a hook that throws, fail without a failed test.
    if (module.errors().length > 0) failed.push(module.relativeModuleId)
    for (const suite of module.children.allSuites())
      if (suite.errors().length > 0) failed.push(`${module.relativeModuleId} > ${suite.fullName}`)
    for (const test of module.children.allTests()) {
      const result = test.result()
      if (result.state === 'passed') passed += 1
      else if (result.state === 'skipped')
        skipped.push({ name: nameOf(test), reason: result.note ?? noReason })
      else failed.push(nameOf(test))
    }
  }
  for (let index = 1; index <= unhandled; index += 1) failed.push(`unhandled error ${index} outside of tests`)
  return { passed, failed, skipped }
}

export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const file = process.env.IMLMA_TALLY
    if (file !== undefined) writeFileSync(file, JSON.stringify(tallyOf(modules, unhandledErrors.length)))
  }
}
