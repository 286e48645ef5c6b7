/**
 * The project's own files, as the rules want them: path from the root → text.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join, posix } from 'node:path'

const roots = ['protocol', 'agent', 'coordinator', 'scripts', 'test']
const skippedFolders = new Set(['node_modules', '.imlma', 'vectors'])

const listBelow = (root: string, folder: string): readonly string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : listBelow(root, path)
    return /\.(?:ts|mjs)$/.test(entry.name) || entry.name === 'package.json' ? [path] : []
  })

/** Reads every source file and package file below `root`. */
export const readTree = (root: string): ReadonlyMap<string, string> =>
  new Map(
    roots
      .flatMap((folder) => listBelow(root, folder))
      .map((path) => [path, readFileSync(join(root, path), 'utf8')]),
  )
