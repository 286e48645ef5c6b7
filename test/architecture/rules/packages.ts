/**
 * Rule 1: protocol imports nobody, agent and coordinator never import each other, packages are imported by name through
 * their `exports`, never by path. Within a package, imports are relative and name the file with its `.ts`.
 */
import { ownScope, packages } from '../tables.ts'
import type { Import, Source } from '../source.ts'
import type { Objection, Rule, Tree } from '../rule.ts'

const isPackage = (home: string): boolean => Object.hasOwn(packages, home)

/** `['@imlma/protocol', './wire']` of `@imlma/protocol/wire`; the package alone is `.`. */
export const splitSpecifier = (specifier: string): readonly [name: string, subPath: string] => {
  const parts = specifier.split('/')
  const length = specifier.startsWith('@') ? 2 : 1
  return [parts.slice(0, length).join('/'), ['.', ...parts.slice(length)].join('/')]
}

/** What is wrong with importing one of our packages by name; undefined where nothing is. */
const byName = (source: Source, specifier: string, { exportsOf }: Tree): string | undefined => {
  const [name, subPath] = splitSpecifier(specifier)
  const wanted = name.slice(ownScope.length)
  if (wanted === source.home) return `within ${wanted}, import by relative path`
  const allowed = packages[source.home]
  if (allowed !== undefined && !allowed.includes(wanted)) return `${source.home} never imports ${wanted}`
  const offered = exportsOf.get(wanted) ?? []
  return offered.includes(subPath) ? undefined : `${specifier} is not in the exports of ${wanted}`
}

/** What protocol may import from elsewhere: zod, cbor-x in `.cbor.ts` files, Node in `src/node/`. */
const fromProtocol = (source: Source, specifier: string): string | undefined => {
  const [name] = splitSpecifier(specifier)
  if (source.isTest || name === 'zod') return undefined
  if (name === 'cbor-x')
    return source.suffixes.includes('cbor') ? undefined : 'cbor-x is for `.cbor.ts` files'
  if (name.startsWith('node:')) return source.room === 'node' ? undefined : 'Node is for protocol/src/node'
  return `protocol imports nobody, not ${name}`
}

const objectionTo = (source: Source, { specifier, target }: Import, tree: Tree): string | undefined => {
  if (specifier === undefined) return undefined
  if (target !== undefined) {
    const home = target.split('/')[0] ?? ''
    if (home === source.home) return undefined
    return isPackage(home) || isPackage(source.home)
      ? `${target} is another package's file: import it by name`
      : undefined
  }
  if (specifier.startsWith(ownScope)) return byName(source, specifier, tree)
  return source.home === 'protocol' ? fromProtocol(source, specifier) : undefined
}

export const packageRule: Rule = (tree) =>
  [...tree.sources.values()].flatMap((source) =>
    source.imports.flatMap((each): readonly Objection[] => {
      const message = objectionTo(source, each, tree)
      return message === undefined ? [] : [{ rule: 'packages', path: source.path, line: each.line, message }]
    }),
  )

/** A relative import names the file as it is, because Node runs it as it is. */
export const relativeRule: Rule = ({ sources }) =>
  [...sources.values()].flatMap(({ path, imports }) =>
    imports
      .filter(({ target }) => target !== undefined && !/\.(?:ts|mjs|json|css)$/.test(target))
      .map(({ specifier, line }) => ({
        rule: 'relative imports',
        path,
        line,
        message: `${specifier ?? ''} does not end in .ts`,
      })),
  )
