/**
 * One source file as the rules see it: where it stands, what it imports, which globals it uses, what its comments say.
 */
import { parseSync } from 'oxc-parser'
import { posix } from 'node:path'
import { testSuffixes } from './tables.ts'
import { childrenOf, freeReferences, isNode, type Node, type Reference } from './references.ts'

export interface Import {
  /** As written; undefined for a dynamic import of a computed name. */
  readonly specifier: string | undefined
  /** Path from the project's root for a relative import. */
  readonly target: string | undefined
  /** True where nothing is loaded at run time: `import type`, `export type … from`, a type's `import('…')`. */
  readonly typeOnly: boolean
  readonly line: number
}

export interface Source {
  readonly path: string
  /** `agent` of `agent/src/outbox/outbox.sqlite.ts`; `scripts`, `test` or empty for files outside packages. */
  readonly home: string
  /** First folder below `src`, undefined for files that stand in `src` itself. */
  readonly room: string | undefined
  /** `['sqlite']` of `outbox.sqlite.ts`. */
  readonly suffixes: readonly string[]
  /** By its suffix, or in a folder `testing`. */
  readonly isTest: boolean
  /** `main.ts`, or a launcher in `bin/` that starts it. */
  readonly isMain: boolean
  /** True where every statement is an `export … from`: a list of names, not code. */
  readonly isBarrel: boolean
  readonly imports: readonly Import[]
  readonly references: readonly (Reference & { readonly line: number })[]
  readonly comments: readonly { readonly text: string; readonly line: number }[]
  readonly lines: number
}

const importKinds = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
])

const collectImports = (
  path: string,
  program: Node,
  lineAt: (start: number) => number,
): readonly Import[] => {
  const found: Import[] = []
  const visit = (node: Node): void => {
    const source = node['source']
    if (importKinds.has(node.type) && isNode(source)) {
      const value = source.type === 'Literal' ? source['value'] : undefined
      const specifier = typeof value === 'string' ? value : undefined
      const typeOnly =
        node.type === 'TSImportType' || node['importKind'] === 'type' || node['exportKind'] === 'type'
      const target = specifier?.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined
      found.push({ specifier, target, typeOnly, line: lineAt(node.start) })
    }
    for (const [, child] of childrenOf(node)) visit(child)
  }
  visit(program)
  return found
}

/** Reads one file. `path` is relative to the project's root, with forward slashes. Throws where it does not parse. */
export const toSource = (path: string, text: string): Source => {
  const { program, comments, errors } = parseSync(path, text, { sourceType: 'module', preserveParens: false })
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message ?? 'unknown error'}`)
  const root = program as unknown as Node
  const lineAt = (start: number): number => text.slice(0, start).split('\n').length
  const [home = '', inside, ...below] = path.split('/')
  const suffixes = posix.basename(path).split('.').slice(1, -1)
  const statements = root['body'] as readonly Node[]
  return {
    path,
    home: path.includes('/') ? home : '',
    room: inside === 'src' && below.length > 1 ? below[0] : undefined,
    suffixes,
    isTest: suffixes.some((suffix) => testSuffixes.includes(suffix)) || path.includes('/testing/'),
    isMain: posix.basename(path) === 'main.ts' || inside === 'bin',
    isBarrel:
      statements.length > 0 &&
      statements.every((each) => isNode(each['source']) && each.type !== 'ImportDeclaration'),
    imports: collectImports(path, root, lineAt),
    references: freeReferences(root).map((reference) => ({ ...reference, line: lineAt(reference.start) })),
    comments: comments.map(({ value, start }) => ({ text: value, line: lineAt(start) })),
    lines: text.trimEnd().split('\n').length,
  }
}
