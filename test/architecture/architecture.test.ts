import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lineOf, objectionsTo } from './rules.ts'
import { readTree } from './tree.fs.ts'

test('the project keeps the rules of the house', () => {
  const files = readTree(join(import.meta.dirname, '..', '..'))
  expect(files.size).toBeGreaterThan(10)
  expect(objectionsTo(files).map(lineOf)).toEqual([])
})
