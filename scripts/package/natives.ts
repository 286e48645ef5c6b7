/**
 * The libraries with native parts, each with what one architecture needs: onnxruntime-node brings 288 MB for seven
 * platforms, of which one is run.
 */

import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { nativePackages } from './bundle.ts'
import { toNodeName, type Architecture } from './runtime.ts'

const agent = join(import.meta.dirname, '..', '..', 'agent')

/** The nearest folder above the main file that is named as the package. */
const folderOf = (name: string, from: string): string => {
  const main = createRequire(join(from, 'package.json')).resolve(name)
  const end = main.lastIndexOf(join('node_modules', name))
  return join(main.slice(0, end), 'node_modules', name)
}

interface Taken {
  readonly name: string
  readonly from: string
  /** Files and folders of the package. */
  readonly paths: readonly string[]
}

const toTaken = (architecture: Architecture): readonly Taken[] => {
  const platform = toNodeName(architecture)
  const [runtime, database] = nativePackages.map((name) => folderOf(name, agent)) as [string, string]
  return [
    {
      name: 'onnxruntime-node',
      from: runtime,
      paths: ['package.json', 'dist', `bin/napi-v6/linux/${platform}`],
    },
    {
      name: 'onnxruntime-common',
      from: folderOf('onnxruntime-common', runtime),
      paths: ['package.json', 'dist/cjs'],
    },
    {
      name: 'better-sqlite3',
      from: database,
      paths: ['package.json', 'lib', `prebuilds/linux-${platform}.node`],
    },
  ]
}

/** What is for those who write programs with a library. */
const isForDevelopers = (path: string): boolean => /\.(?:map|d\.ts)$/u.test(path)

/** Folders of the packages' licences, by name. */
export const copyNatives = (architecture: Architecture, nodeModules: string): void => {
  for (const { name, from, paths } of toTaken(architecture)) {
    for (const path of paths) {
      const to = join(nodeModules, name, path)
      mkdirSync(dirname(to), { recursive: true })
      cpSync(join(from, path), to, {
        recursive: true,
        dereference: true,
        filter: (source) => !isForDevelopers(relative(from, source)),
      })
    }
  }
  writeFileSync(
    join(nodeModules, '..', 'package.json'),
    `${JSON.stringify({ name: 'imlma-agent', type: 'module', private: true }, null, 2)}\n`,
  )
}
