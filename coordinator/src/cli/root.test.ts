import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { establishTrust } from '../trust/establish.fs.ts'
import { newKey, writeKeyFile } from '../trust/keys.fs.ts'
import { commands } from './commands.ts'
import { openContext } from './context.process.ts'
import { runProgram } from './program.commander.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-cli-root-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** With no control centre running: a root is signed where the keys are. */
const imlma = async (...words: string[]) => {
  let out = ''
  let err = ''
  const environment = { IMLMA_DATA_DIR: join(folder, 'state'), IMLMA_URL: 'http://127.0.0.1:1' }
  const code = await runProgram(
    {
      commands,
      open: (options) => openContext({ folder, environment, options }, (line) => (err += `${line}\n`)),
      terminal: { out: (text) => (out += text), err: (text) => (err += text) },
    },
    words,
  )
  return { code, out, err }
}
const at = (name: string) => join(folder, name)
const person = (name: string, schemes?: readonly ('ed25519' | 'ml-dsa-65')[]) =>
  writeKeyFile(at(`${name}.key`), newKey('root', name, schemes))
const shown = async () =>
  JSON.parse((await imlma('root', 'show', '--json')).out) as {
    version: number
    expiresAt: number
    roles: Record<
      string,
      {
        threshold: number
        groupThreshold?: number
        schemes: string[]
        holders: { name: string; keyid: string }[]
      }
    >
  }

describe('imlma root', () => {
  test('create makes the root of a site whose keys two people hold, with both schemes', async () => {
    await person('Ada', ['ed25519', 'ml-dsa-65'])
    await person('Ben', ['ed25519', 'ml-dsa-65'])
    const asked = [
      '--root',
      `${at('Ada.key')},${at('Ben.key')}`,
      '--threshold',
      'root=2',
      '--group-threshold',
      '3',
    ]
    const made = await imlma('root', 'create', ...asked, '--scheme', 'ed25519+ml-dsa-65', '--valid', '365')
    expect([made.code, made.out]).toEqual([0, expect.stringContaining('version 1 is in force')])
    const root = await shown()
    expect(root.roles['root']).toMatchObject({ threshold: 2, schemes: ['ed25519', 'ml-dsa-65'] })
    expect(root.roles['technician']).toMatchObject({ groupThreshold: 3 })
    expect(Math.abs(root.expiresAt - Date.now() - 365 * 86_400_000)).toBeLessThan(60_000)
    // The control centre starts on it, and its keys sign with both.
    const trust = await establishTrust(join(folder, 'state', 'trust'), { now: Date.now() })
    expect([trust.created, trust.release.companion === undefined]).toEqual([false, false])
    expect(await imlma('root', 'create', ...asked)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^EXISTS/),
    })
  })

  test('set waits for the second holder, who looks and signs', async () => {
    await person('Ada')
    await person('Ben')
    await imlma('root', 'create', '--root', `${at('Ada.key')},${at('Ben.key')}`, '--threshold', 'root=2')
    const out = at('next.json')
    const set = await imlma('root', 'set', '--valid', '30', '--key', at('Ada.key'), '--out', out)
    expect([set.code, set.out]).toEqual([
      0,
      expect.stringMatching(/waits in .*next\.json; nothing has changed/),
    ])
    expect(set.out).toContain('1 more of Ben')
    expect((await shown()).version).toBe(1)
    expect((await imlma('root', 'sign', out, '--show')).out).toMatch(/version 2[\s\S]*expires soon/)
    expect((await imlma('root', 'sign', out)).code).toBe(2)
    expect((await imlma('root', 'sign', out, '--key', at('Ben.key'))).code).toBe(0)
    expect((await shown()).version).toBe(2)
    // What was overtaken collects no more signatures.
    const again = await imlma('root', 'sign', out, '--key', at('Ben.key'))
    expect([again.code, again.err]).toEqual([1, expect.stringMatching(/^REPLAYED: /)])
  })

  test('rotate makes a new key beside the old one, and says what follows; revoke takes a person out', async () => {
    await establishTrust(join(folder, 'state', 'trust'), { now: Date.now() })
    const before = await shown()
    const rotated = await imlma('root', 'rotate', '--role', 'director')
    expect([rotated.code, rotated.out]).toEqual([
      0,
      expect.stringContaining('counters of assignments begin anew'),
    ])
    const after = await shown()
    expect(after.roles['director']?.holders[0]?.keyid).not.toBe(before.roles['director']?.holders[0]?.keyid)
    const trust = await establishTrust(join(folder, 'state', 'trust'), { now: Date.now() })
    expect(trust.director.keyid).toBe(after.roles['director']?.holders[0]?.keyid)

    await imlma('keys', 'new', '--out', at('eve.key'), '--name', 'Eve')
    const { keyid } = JSON.parse(await readFile(at('eve.key'), 'utf8')) as { keyid: string }
    expect((await imlma('root', 'show')).out).toMatch(/technician +1 of 1, 2 for a group .* Eve/)
    expect((await imlma('root', 'revoke', keyid.slice(0, 12))).code).toBe(0)
    expect((await shown()).roles['technician']?.holders).toEqual([])
    expect(await imlma('root', 'revoke', 'ffffffffffff')).toMatchObject({ code: 2 })
  })

  test('add takes the public half of a key, and refuses a forged one', async () => {
    await establishTrust(join(folder, 'state', 'trust'), { now: Date.now() })
    const { secret: _, ...half } = newKey('release', 'Ada')
    await writeFile(at('ada.json'), JSON.stringify(half))
    expect((await imlma('root', 'add', '--role', 'release', '--of', at('ada.json'))).code).toBe(0)
    expect((await shown()).roles['release']?.holders.map(({ name }) => name)).toEqual(['release', 'Ada'])
    await writeFile(at('forged.json'), JSON.stringify({ ...half, keyid: 'a'.repeat(64) }))
    expect(await imlma('root', 'add', '--role', 'release', '--of', at('forged.json'))).toMatchObject({
      err: expect.stringMatching(/^KEY_UNREADABLE/),
    })
    expect((await imlma('root', 'add', '--role', 'king', '--of', at('ada.json'))).code).toBe(2)
  })
})
