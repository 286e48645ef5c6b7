import { describe, expect, test } from 'vitest'
import { parseSettings } from './settings.process.ts'

const needed = ['--name', 'gw-1', '--site=demo']

describe('command line', () => {
  test('takes the usual values for what is not said', () => {
    expect(parseSettings(needed, '1.0.0')).toEqual({
      ok: true,
      value: {
        kind: 'run',
        settings: {
          name: 'gw-1',
          site: 'demo',
          broker: 'mqtt://127.0.0.1:1883',
          dataDir: './imlma-agent',
          host: '127.0.0.1',
          port: 4_611,
          log: 'info',
        },
      },
    })
  })

  test('tells its version and its options', () => {
    expect(parseSettings(['--version'], '1.0.0')).toMatchObject({ value: { kind: 'tell', text: '1.0.0' } })
    expect(parseSettings(['-h'], '1.0.0')).toMatchObject({
      value: { text: expect.stringContaining('--data-dir <dir>') },
    })
  })

  test.each([
    ['no name', ['--site', 'demo'], '--name'],
    ['a name that is no topic', ['--name', 'a/b', '--site', 'demo'], '--name'],
    ['no site', ['--name', 'gw-1'], '--site'],
    ['a port beyond', [...needed, '--port', '65536'], '--port'],
    ['a port in words', [...needed, '--port', ''], '--port'],
    ['an unknown level', [...needed, '--log', 'loud'], '--log'],
    ['an unknown option', [...needed, '--colour', 'red'], '--colour'],
    ['a value without an option', [...needed, 'red'], 'red'],
    ['an option without its value', [...needed, '--root'], '--root'],
  ])('refuses %s and names it', (_, args, named) => {
    expect(parseSettings(args, '1.0.0')).toMatchObject({
      ok: false,
      refusal: { code: 'BAD_OPTION', message: expect.stringContaining(named) },
    })
  })
})
