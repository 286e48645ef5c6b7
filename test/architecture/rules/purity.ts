/**
 * Rule 2: a file that touches the outside says so in its name. Every other file imports nothing but zod, our own packages
 * and pure neighbours, and uses no clock, randomness, timer, environment, network or log.
 *
 * A barrel (nothing but `export … from`) is as pure as what it lists: it may list files with a suffix, but then a pure file
 * of the package may not load it.
 */
import { outsideGlobals, ownScope, packages, purePackages, technologies } from '../tables.ts'
import type { Reference } from '../references.ts'
import type { Import, Source } from '../source.ts'
import type { Objection, Rule, Tree } from '../rule.ts'
import { splitSpecifier } from './packages.ts'

/** Files the rule is not for: tests, `main.ts`, types only, the browser's page, protocol's own door to Node, scripts. */
const isExempt = (source: Source): boolean =>
  !Object.hasOwn(packages, source.home) ||
  source.isTest ||
  source.isMain ||
  source.path.endsWith('.d.ts') ||
  source.path.startsWith('coordinator/src/dashboard/page/') ||
  source.path.startsWith('protocol/src/node/')

const isPure = (source: Source): boolean => !isExempt(source) && source.suffixes.length === 0

/** True where loading the file loads something with a technology: by its own name, or as a barrel that lists such a file. */
const touchesOutside = (path: string, { sources }: Tree, seen: readonly string[] = []): boolean => {
  const source = sources.get(path)
  if (source === undefined || seen.includes(path)) return false
  if (source.suffixes.length > 0 || source.isMain || path.startsWith('protocol/src/node/')) return true
  if (!source.isBarrel) return false
  return source.imports.some(
    ({ target, typeOnly }) =>
      !typeOnly && target !== undefined && touchesOutside(target, { sources } as Tree, [...seen, path]),
  )
}

const isOpenToAll = (name: string): boolean => purePackages.includes(name) || name.startsWith(ownScope)

const importObjection = (source: Source, each: Import, tree: Tree): string | undefined => {
  const { specifier, target, typeOnly } = each
  if (specifier === undefined) return 'a computed import may load anything'
  if (target !== undefined) {
    if (typeOnly || source.isBarrel || !touchesOutside(target, tree)) return undefined
    return `${specifier} touches the outside: take its type (\`import type\`) and let \`main.ts\` bring the part`
  }
  return isOpenToAll(splitSpecifier(specifier)[0]) ? undefined : `a pure file does not import ${specifier}`
}

/** What a pure file may do with the globals that are pure in part. */
const isPureUse = ({ name, use, member, argumentCount = 0 }: Reference): boolean => {
  if (use === 'test') return true
  switch (name) {
    case 'Date':
      return (
        use === 'type' ||
        (use === 'new' && argumentCount > 0) ||
        (use === 'member' && ['UTC', 'parse', 'prototype'].includes(member ?? ''))
      )
    case 'Math':
      return use === 'type' || (use === 'member' && member !== undefined && member !== 'random')
    case 'AbortSignal':
      return use !== 'member' || member !== 'timeout'
    default:
      return !outsideGlobals.includes(name)
  }
}

const textOf = ({ name, use, member }: Reference): string => {
  if (use === 'member') return `${name}.${member ?? '[…]'}`
  if (use === 'new') return `new ${name}()`
  return use === 'call' ? `${name}()` : name
}

export const purityRule: Rule = (tree) =>
  [...tree.sources.values()].filter(isPure).flatMap((source): readonly Objection[] => {
    const at = (line: number, message: string) => ({ rule: 'purity', path: source.path, line, message })
    const imports = source.imports.flatMap((each) => {
      const message = importObjection(source, each, tree)
      return message === undefined ? [] : [at(each.line, message)]
    })
    const uses = source.references
      .filter((reference) => !isPureUse(reference))
      .map((reference) =>
        at(reference.line, `a pure file does not use ${textOf(reference)}: take it as an argument`),
      )
    return [...imports, ...uses]
  })

/** A suffix is a known technology, and opens exactly the packages of that technology. */
export const suffixRule: Rule = ({ sources }) =>
  [...sources.values()]
    .filter((source) => !isExempt(source) && source.suffixes.length > 0)
    .flatMap((source): readonly Objection[] => {
      const at = (line: number, message: string) => ({ rule: 'suffix', path: source.path, line, message })
      const unknown = source.suffixes.filter((suffix) => !Object.hasOwn(technologies, suffix))
      if (unknown.length > 0) return [at(1, `${unknown.join(', ')} is no known technology`)]
      const opened = source.suffixes.map((suffix) => technologies[suffix] ?? [])
      if (opened.includes('any')) return []
      const allowed = opened.flat()
      return source.imports.flatMap(({ specifier, target, line }) => {
        if (specifier === undefined || target !== undefined || specifier.startsWith('node:')) return []
        const [name] = splitSpecifier(specifier)
        return isOpenToAll(name) || allowed.includes(name)
          ? []
          : [at(line, `${name} is not what .${source.suffixes.join('.')}.ts stands for`)]
      })
    })
