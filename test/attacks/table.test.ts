import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { enrolmentRefusals } from '@imlma/protocol/trust'
import { commandRefusals, deploymentReasons } from '@imlma/protocol/wire'
import { attacks } from './table.ts'

const root = join(import.meta.dirname, '..', '..')
const security = readFileSync(join(root, 'protocol', 'SECURITY.md'), 'utf8')

const read = (file: string): string =>
  existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : ''

/** True where a call of `test` or `describe` in the file has this name. */
const hasTest = (file: string, name: string): boolean =>
  [`'${name}'`, `"${name}"`, `\`${name}\``].some((quoted) => read(file).includes(quoted))

describe('the table of attacks', () => {
  test.each([...new Set([...commandRefusals, ...deploymentReasons, ...enrolmentRefusals])])(
    'tries to earn %s',
    (code) => {
      expect(attacks.filter((attack) => attack.code === code)).not.toEqual([])
    },
  )

  test('names tests that exist, and files that speak of the code', () => {
    expect(attacks.filter(({ file, test: name }) => !hasTest(file, name))).toEqual([])
    expect(attacks.filter(({ file, code }) => code !== null && !read(file).includes(code))).toEqual([])
  })

  test('says nothing twice', () => {
    const said = attacks.map(({ attack, file }) => `${file} ${attack}`)
    expect(new Set(said).size).toBe(said.length)
  })
})

describe('SECURITY.md', () => {
  /** `file`: “name of a test” */
  const named = [...security.matchAll(/`([\w./-]+\.test\.ts)`: “([^”]+)”/g)].map(
    ([, file = '', name = '']) => ({ file, name }),
  )

  test('names tests that exist', () => {
    expect(named.length).toBeGreaterThan(40)
    expect(named.filter(({ file, name }) => !hasTest(file, name))).toEqual([])
  })

  test('leaves no test file unnamed that it only mentions', () => {
    const mentioned = [...security.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, file = '']) => file)
    expect(mentioned.filter((file) => !existsSync(join(root, file)))).toEqual([])
  })

  test('answers each of the ten attacks of OWASP and each of the ten practices, with a test or a stated gap', () => {
    const answers = (heading: string): readonly string[] => {
      const section = security.split(/^## /m).find((each) => each.startsWith(heading)) ?? ''
      return section.split('\n').filter((line) => line.startsWith('| **'))
    }
    for (const rows of [answers('OWASP'), answers('The ten practices')]) {
      expect(rows).toHaveLength(10)
      expect(rows.filter((row) => !row.includes('.test.ts`: “') && !row.includes('**Gap:**'))).toEqual([])
    }
  })
})
