/**
 * `npm run package -- --arch amd64|arm64`: the agent as a Debian package, with everything that it runs on inside.
 *
 *   --out DIR           where the package goes (.imlma/package)
 *   --version VERSION   instead of the agent's own
 *   --fast              compressed less, in a tenth of the time
 *
 * The same sources, version and SOURCE_DATE_EPOCH (by default the time of the newest commit) give the same bytes. The last
 * line of standard output is JSON: the file, its SHA-256, its size and the size installed.
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildDeb, installedKib } from './deb.ts'
import { architectures } from './runtime.ts'
import { writeTree } from './tree.ts'

const installedKibMax = 190 * 1_024

const root = join(import.meta.dirname, '..', '..')
const { version: agentVersion } = JSON.parse(readFileSync(join(root, 'agent', 'package.json'), 'utf8')) as {
  version: string
}
const giveUp = (problem: string): never => {
  console.error(problem)
  process.exit(1)
}

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'amd64' },
    out: { type: 'string', default: join(root, '.imlma', 'package') },
    version: { type: 'string', default: agentVersion },
    fast: { type: 'boolean', default: false },
  },
})
const architecture =
  architectures.find((each) => each === values.arch) ?? giveUp(`--arch is one of ${architectures.join(', ')}`)
const { version } = values
if (!/^\d[\w.+~]*$/u.test(version))
  giveUp('--version is what Debian takes: a digit, then letters, digits and . + ~')

/** Without Git, a date that stays: the tree is a copy, and its files' times say nothing. */
const readDate = (): Date => {
  const given = process.env['SOURCE_DATE_EPOCH']
  if (given !== undefined) return new Date(Number(given) * 1_000)
  try {
    const text = execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' })
    return new Date(Number(text) * 1_000)
  } catch {
    return new Date('2026-01-01T00:00:00Z')
  }
}

const out = resolve(values.out)
mkdirSync(out, { recursive: true })
const file = join(out, `imlma-agent_${version}_${architecture}.deb`)
const work = mkdtempSync(join(tmpdir(), 'imlma-package-'))
try {
  const tree = join(work, 'tree')
  const date = readDate()
  await writeTree(tree, { architecture, version, date })
  const kib = installedKib(tree)
  if (kib > installedKibMax) giveUp(`${kib} KiB installed, ${installedKibMax} at most`)
  buildDeb(tree, file, { version, architecture, date, compression: values.fast ? 'gzip' : 'xz' })
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
  const installedMB = Math.round((kib * 1_024) / 1e5) / 10
  console.log(JSON.stringify({ file, sha256, bytes: statSync(file).size, installedMB }))
} finally {
  rmSync(work, { recursive: true, force: true })
}
