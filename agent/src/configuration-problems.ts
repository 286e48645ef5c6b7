/** What is wrong with a configuration, for a person with the file open: where, what stands there, and what is allowed. */

import type { z } from 'zod'

type Issue = z.core.$ZodIssue

/** A long value is recognised by its beginning. */
const shownMax = 80

const valueAt = (document: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    document,
  )

const show = (value: unknown): string => {
  if (value === undefined) return 'missing'
  const text = JSON.stringify(value) ?? typeof value
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text
}

const allowed = (issue: Issue): string => {
  switch (issue.code) {
    case 'invalid_type':
      return `allowed: ${issue.expected}`
    case 'too_small':
      return `allowed: ${issue.inclusive === true ? 'at least' : 'more than'} ${issue.minimum}`
    case 'too_big':
      return `allowed: ${issue.inclusive === true ? 'at most' : 'less than'} ${issue.maximum}`
    case 'invalid_value':
      return `allowed: ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`
    case 'unrecognized_keys':
      return `no such setting: ${issue.keys.join(', ')}`
    default:
      return issue.message
  }
}

/** One line a problem, in the order of the file's schema; a value that fits none of several forms says so for each. */
export const toProblems = (error: z.core.$ZodError, document: unknown): readonly string[] =>
  error.issues.flatMap((issue) => toLines(issue, document))

const toLines = (issue: Issue, document: unknown, above: readonly PropertyKey[] = []): readonly string[] => {
  const path = [...above, ...issue.path]
  const forms = issue.code === 'invalid_union' ? issue.errors.filter((form) => form.length > 0) : []
  if (forms.length > 0)
    return [...new Set(forms.flatMap((form) => form.flatMap((each) => toLines(each, document, path))))]
  const where = path.map(String).join('.') || 'the file'
  if (issue.code === 'unrecognized_keys') return [`${where}: ${allowed(issue)}`]
  return [`${where} = ${show(valueAt(document, path))}: ${allowed(issue)}`]
}
