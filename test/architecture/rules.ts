/**
 * The rules of the house as functions: a tree of files in, objections out. Each rule is planted against in `rules.test.ts`.
 */
import { packageRule, relativeRule } from './rules/packages.ts'
import { environmentRule } from './rules/environment.ts'
import { cycleRule, roomRule } from './rules/graph.ts'
import { purityRule, suffixRule } from './rules/purity.ts'
import { lengthRule, unfinishedRule } from './rules/form.ts'
import type { Objection, Rule } from './rule.ts'
import { toSource, type Source } from './source.ts'

const rules: readonly Rule[] = [
  packageRule,
  relativeRule,
  purityRule,
  suffixRule,
  environmentRule,
  roomRule,
  cycleRule,
  lengthRule,
  unfinishedRule,
]

/** Every objection to a tree given as path → text; `package.json` files tell the exports, the rest is parsed. */
export const objectionsTo = (files: ReadonlyMap<string, string>): readonly Objection[] => {
  const sources = new Map<string, Source>()
  const exportsOf = new Map<string, readonly string[]>()
  for (const [path, text] of files) {
    if (path.endsWith('/package.json')) {
      const { exports = {} } = JSON.parse(text) as { exports?: Record<string, string> }
      exportsOf.set(path.split('/')[0] ?? '', Object.keys(exports))
    } else sources.set(path, toSource(path, text))
  }
  return rules.flatMap((rule) => rule({ sources, exportsOf }))
}

export const lineOf = ({ rule, path, line, message }: Objection): string =>
  `${path}:${line} ${rule}: ${message}`
