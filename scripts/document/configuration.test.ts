import { readFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { describe, expect, test } from 'vitest'
import { documentFile, readSettings, toDocument } from './configuration.ts'
import { findComment, readConstants } from './doc-comments.ts'

describe('the document of the configuration', () => {
  test('is what the schema and its comments say: npm run document writes it anew', async () => {
    const written = await format(toDocument(), { ...(await resolveConfig(documentFile)), parser: 'markdown' })
    expect(readFileSync(documentFile, 'utf8')).toBe(written)
  })

  test('says of every setting of the agent what it is', () => {
    const silent = readSettings().agent.filter(({ sentence }) => sentence === undefined)
    expect(silent.map(({ path }) => path)).toEqual([])
  })

  test('knows every kind of source, and what each needs', () => {
    const { sources } = readSettings()
    expect(sources.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['simulated', 'replay', 'mqtt', 'modbus']),
    )
    for (const { settings } of sources)
      expect(settings.find(({ path }) => path === 'name')).toMatchObject({ default: 'needed' })
  })
})

describe('comments of a schema', () => {
  const constants = readConstants(`
const shared = {
  /** Said where it is shared. */
  name: z.string(),
}
const one = z.object({
  /**
   * Said in two lines,
   * and read as one.
   */
  size: z.int(),
  bare: z.int(),
  ...shared,
})
const other = z.object({ /** not on a line of its own */ size: z.int() })
`)

  test('are those of the constant, or of what it is made of', () => {
    expect(findComment(constants, 'one', 'size')).toBe('Said in two lines, and read as one.')
    expect(findComment(constants, 'one', 'name')).toBe('Said where it is shared.')
    expect(findComment(constants, 'one', 'bare')).toBeUndefined()
    expect(findComment(constants, 'other', 'name')).toBeUndefined()
  })
})
