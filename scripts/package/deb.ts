/** A Debian package of a tree of files, the same to the byte for the same tree, version and date. */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'

const debian = join(import.meta.dirname, 'debian')

export interface DebOptions {
  readonly version: string
  readonly architecture: string
  /** Newest time of any file in it. */
  readonly date: Date
  /** `xz` is a third smaller, `gzip` ten times faster. */
  readonly compression: 'xz' | 'gzip'
}

/** Everything below a folder, folders before what is in them. */
const walk = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? [path, ...walk(path)] : [path]
    })

/** KiB as Debian counts them: each file rounded up, a folder counts one. */
export const installedKib = (root: string): number =>
  walk(root)
    .map((path) => lstatSync(path))
    .reduce(
      (sum, { size }, i, all) => sum + (all[i]?.isDirectory() === true ? 1 : Math.ceil(size / 1_024)),
      0,
    )

const writeControl = (root: string, { version, architecture }: DebOptions): void => {
  const files = walk(root).filter((path) => lstatSync(path).isFile())
  const sums = files
    .filter((path) => !relative(root, path).startsWith('etc/'))
    .map((path) => `${createHash('md5').update(readFileSync(path)).digest('hex')}  ${relative(root, path)}\n`)
  const values: Readonly<Record<string, string>> = {
    VERSION: version,
    ARCHITECTURE: architecture,
    INSTALLED_KIB: String(installedKib(root)),
  }
  const control = join(root, 'DEBIAN')
  mkdirSync(control)
  writeFileSync(join(control, 'md5sums'), sums.join(''))
  for (const name of ['control', 'conffiles', 'postinst', 'prerm', 'postrm']) {
    const text = readFileSync(join(debian, name), 'utf8')
    writeFileSync(
      join(control, name),
      text.replaceAll(/@([A-Z_]+)@/gu, (_, key: string) => values[key] ?? `@${key}@`),
    )
    if (name.startsWith('p')) chmodSync(join(control, name), 0o755)
  }
}

/** The tree gets its control files, and times and modes that do not depend on who builds it. */
export const buildDeb = (root: string, file: string, options: DebOptions): void => {
  writeControl(root, options)
  const seconds = Math.floor(options.date.getTime() / 1_000)
  for (const path of [...walk(root), root].toReversed()) {
    const stat = lstatSync(path)
    if (stat.isDirectory()) chmodSync(path, 0o755)
    else if (stat.isFile())
      chmodSync(path, (stat.mode & 0o111) === 0 || path.endsWith('.node') ? 0o644 : 0o755)
    lutimesSync(path, seconds, seconds)
  }
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(seconds) }
  const packing = options.compression === 'xz' ? ['-Zxz', '-z6'] : ['-Zgzip', '-z1']
  execFileSync(
    'dpkg-deb',
    ['--root-owner-group', '--uniform-compression', ...packing, '--build', root, file],
    {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
}
