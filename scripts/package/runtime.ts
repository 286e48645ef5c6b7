/**
 * The Node that goes into a package: the platform package of the same version that the workspace runs on. Its tarball and
 * the program in it are pinned by hash in `runtime.json`, so it does not matter where they come from: what is installed
 * here for this machine, or the package registry, once, for another one.
 *
 * A new version of `node` in package.json needs new pins: `npm view node-linux-ARCH@VERSION dist.integrity`, and the
 * SHA-256 of its `bin/node`.
 */

import { execFileSync, type ExecFileSyncOptionsWithStringEncoding } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import rootPackage from '../../package.json' with { type: 'json' }
import pins from './runtime.json' with { type: 'json' }

export const architectures = ['amd64', 'arm64'] as const
export type Architecture = (typeof architectures)[number]

/** What Node calls the architecture. */
export const toNodeName = (architecture: Architecture): string => pins[architecture].node

const root = join(import.meta.dirname, '..', '..')

const digestOf = (file: string, algorithm: 'sha256' | 'sha512', encoding: 'hex' | 'base64'): string =>
  createHash(algorithm).update(readFileSync(file)).digest(encoding)

/** Folder of the platform package: `bin/node`, `LICENSE`. */
export const openRuntime = (architecture: Architecture): string => {
  const pin = pins[architecture]
  if (rootPackage.devDependencies.node !== pins.version)
    throw new Error(
      `runtime.json pins Node ${pins.version}, package.json ${rootPackage.devDependencies.node}: pin the new one`,
    )
  const name = `node-linux-${pin.node}`
  const isPinned = (folder: string): boolean => {
    const program = join(folder, 'bin', 'node')
    return existsSync(program) && digestOf(program, 'sha256', 'hex') === pin.sha256
  }
  const installed = join(root, 'node_modules', 'node', 'node_modules', name)
  if (isPinned(installed)) return installed
  const kept = join(root, 'node_modules', '.cache', 'imlma-package', `${name}-${pins.version}`)
  if (isPinned(kept)) return kept
  fetchRuntime(`${name}@${pins.version}`, pin.integrity, kept)
  if (isPinned(kept)) return kept
  throw new Error(`${name}@${pins.version} holds another bin/node than runtime.json says`)
}

const fetchRuntime = (specifier: string, integrity: string, kept: string): void => {
  mkdirSync(join(kept, '..'), { recursive: true })
  const folder = mkdtempSync(`${kept}-`)
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }
    const [packed] = JSON.parse(execFileSync('npm', ['pack', specifier, '--json'], options)) as [
      { filename: string },
    ]
    const tarball = join(folder, packed.filename)
    if (`sha512-${digestOf(tarball, 'sha512', 'base64')}` !== integrity)
      throw new Error(`${specifier} from the registry is not what runtime.json pins`)
    execFileSync('tar', ['-xzf', tarball, 'package/bin/node', 'package/LICENSE'], options)
    rmSync(kept, { recursive: true, force: true })
    renameSync(join(folder, 'package'), kept)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const copyRuntime = (architecture: Architecture, to: string): void => {
  mkdirSync(join(to, '..'), { recursive: true })
  copyFileSync(join(openRuntime(architecture), 'bin', 'node'), to)
}
