import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openPlace } from './file-trail.ts'
import { createFollowedFolder } from './growing-file.fs.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'imlma-trail-'))
})
afterEach(() => rmSync(root, { recursive: true }))

test('a place is in its own file, and not in a younger copy of it', async () => {
  const path = join(root, 'meters.csv')
  writeFileSync(path, 'a,b\n1,2\n')
  const folder = createFollowedFolder(path)
  const [sibling] = (await folder.siblings())!
  const file = (await folder.open(path))!
  const place = { inode: sibling!.inode, head: (await file.extendHead(undefined, 8))!, offset: 8 }
  await file.close()
  renameSync(path, `${path}.2`)
  copyFileSync(`${path}.2`, `${path}.1`)
  const trail = await openPlace(folder, place)
  if (!('file' in trail)) expect.fail(trail.kind)
  expect([trail.kind, trail.file.inode]).toEqual(['found', place.inode])
  await trail.file.close()
})
