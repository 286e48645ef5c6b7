/**
 * What `npm test` runs, in one table: quick checks first, whole-system stories last.
 */

export interface Section {
  readonly name: string
  /** Command line of a tool in `node_modules/.bin`. */
  readonly command: readonly string[]
  /** Present where the tool can also repair what it finds (`--fix`). */
  readonly repair?: readonly string[]
  /** Left out as long as this file does not exist. */
  readonly needs?: string
  /** Tests report a tally of their own; everything else counts as one. */
  readonly hasTests: boolean
  /** Longer than this is a hang: several times what it takes on two cores. */
  readonly timeoutMs: number
}

const pageProject = 'coordinator/src/dashboard/page/tsconfig.json'

const check = (name: string, command: readonly string[], repair?: readonly string[]): Section => ({
  name,
  command,
  hasTests: false,
  timeoutMs: 120_000,
  ...(repair === undefined ? {} : { repair }),
})

const tests = (name: string, timeoutMs: number): Section => ({
  name,
  command: [
    'vitest',
    'run',
    '--project',
    name,
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=./scripts/check/tally.reporter.ts',
  ],
  hasTests: true,
  timeoutMs,
})

export const sections: readonly Section[] = [
  check('format', ['prettier', '--check', '.'], ['prettier', '--write', '.']),
  check('lint', ['oxlint'], ['oxlint', '--fix']),
  check('types', ['tsc', '--noEmit', '-p', '.']),
  // The page runs in a browser: its own `lib` needs a project of its own.
  { ...check('page', ['tsc', '--noEmit', '-p', pageProject]), needs: pageProject },
  check('unused', ['knip', '--no-progress']),
  tests('unit', 600_000),
  tests('stories', 900_000),
]
