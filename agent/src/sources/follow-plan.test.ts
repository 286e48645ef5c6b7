import { expect, test } from 'vitest'
import { inOrder, isSibling } from './follow-plan.ts'

test('the order of rotations does not follow a clock that was set back', () => {
  const file = (name: string, modifiedAt: number) => ({ path: name, inode: name, size: 1, modifiedAt })
  const order = (...files: ReturnType<typeof file>[]) => inOrder(files, 'm').map((each) => each.path)
  expect(order(file('m', 1), file('m.1', 2), file('m.10', 5), file('m.2', 9))).toEqual([
    'm.10',
    'm.2',
    'm.1',
    'm',
  ])
  // Names that do not count are ordered by time.
  expect(order(file('m', 1), file('m.old', 3), file('m.older', 2))).toEqual(['m.older', 'm.old', 'm'])
})

test('rotated names are known, copies that people and editors make are not', () => {
  const known = (name: string) => isSibling(name, 'm.csv')
  for (const name of ['m.csv', 'm.csv.1', 'm.csv.old', 'm.csv-20260101', 'm-20260101.csv', 'm.csv.20260101'])
    expect(`${name} ${known(name)}`).toBe(`${name} true`)
  for (const name of ['m.csv.1.gz', 'm.csv.bak', 'm.csv~', 'm.csv.swp', 'm.csv-old', 'm-old.csv', 'n.csv'])
    expect(`${name} ${known(name)}`).toBe(`${name} false`)
})
