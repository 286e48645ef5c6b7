/**
 * Rule 3: `main.ts` alone reads the environment. A forked child or a worker may read its arguments, nothing else may.
 * `process` is used part by part (`process.pid`), never passed on whole, so that reading `env` cannot hide.
 */
import { packages } from '../tables.ts'
import type { Source } from '../source.ts'
import type { Objection, Rule } from '../rule.ts'

const isForked = ({ suffixes }: Source): boolean => suffixes.includes('child') || suffixes.includes('worker')

const forbiddenMembers = (source: Source): readonly string[] =>
  isForked(source) ? ['env'] : ['env', 'argv', 'argv0']

export const environmentRule: Rule = ({ sources }) =>
  [...sources.values()]
    .filter((source) => Object.hasOwn(packages, source.home) && !source.isTest && !source.isMain)
    .flatMap((source): readonly Objection[] => {
      const at = (line: number, message: string) => ({
        rule: 'environment',
        path: source.path,
        line,
        message,
      })
      const imports = source.imports
        .filter(
          ({ specifier, typeOnly }) => !typeOnly && (specifier === 'node:process' || specifier === 'process'),
        )
        .map(({ line }) => at(line, 'use the global process, part by part'))
      const uses = source.references
        .filter(({ name, use }) => name === 'process' && use !== 'test' && use !== 'type')
        .filter(
          ({ use, member }) =>
            use !== 'member' || member === undefined || forbiddenMembers(source).includes(member),
        )
        .map(({ member, line }) =>
          at(line, `only main.ts reads process${member === undefined ? '' : `.${member}`}`),
        )
      return [...imports, ...uses]
    })
