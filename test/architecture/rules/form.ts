/**
 * The form of a file: short enough to be one idea, and finished.
 */
import { linesMax, longTables } from '../tables.ts'
import type { Rule } from '../rule.ts'

/** Marks of work left undone, where they stand in a comment. */
const unfinished = /\b(?:TO-?DO|FIX-?ME|XXX)\b/

export const lengthRule: Rule = ({ sources }) =>
  [...sources.values()]
    .filter(({ path, isTest, lines }) => lines > linesMax && !isTest && !longTables.includes(path))
    .map(({ path, lines }) => ({
      rule: 'length',
      path,
      line: lines,
      message: `${lines} lines are more than ${linesMax}`,
    }))

export const unfinishedRule: Rule = ({ sources }) =>
  [...sources.values()].flatMap(({ path, comments }) =>
    comments
      .filter(({ text }) => unfinished.test(text))
      .map(({ line }) => ({
        rule: 'unfinished',
        path,
        line,
        message: 'a comment promises work instead of doing it',
      })),
  )
