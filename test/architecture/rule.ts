/**
 * What a rule is: a function from a tree of files to objections.
 */
import type { Source } from './source.ts'

/** The files under the rules, and the sub-paths that each package offers in `exports`. */
export interface Tree {
  readonly sources: ReadonlyMap<string, Source>
  readonly exportsOf: ReadonlyMap<string, readonly string[]>
}

export interface Objection {
  readonly rule: string
  readonly path: string
  readonly line: number
  readonly message: string
}

export type Rule = (tree: Tree) => readonly Objection[]
