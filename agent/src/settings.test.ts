import { describe, expect, test } from 'vitest'
import { configurationSchema } from './configuration.ts'
import { completeSettings, parseSettings } from './settings.process.ts'

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
          dataDir: './imlma-agent',
        },
      },
    })
  })

  test('comes before the configuration, which comes before the usual values', () => {
    const usual = { host: '127.0.0.1', port: 4_611, log: 'info' }
    const complete = (configuration: object, given: object) =>
      completeSettings({ dataDir: 'd', ...given }, configurationSchema.parse(configuration))
    expect(complete({}, {})).toEqual({ dataDir: 'd', ...usual })
    expect(complete({ name: 'gw-1', port: 1, log: 'warn' }, { port: 2, site: 'demo' })).toEqual({
      ...usual,
      dataDir: 'd',
      name: 'gw-1',
      site: 'demo',
      port: 2,
      log: 'warn',
    })
  })

  test('tells its version and its options', () => {
    expect(parseSettings(['--version'], '1.0.0')).toMatchObject({ value: { kind: 'tell', text: '1.0.0' } })
    expect(parseSettings(['-h'], '1.0.0')).toMatchObject({
      value: { text: expect.stringContaining('--data-dir <dir>') },
    })
  })

  test('needs nothing but a directory where the agent is enrolled', () => {
    expect(parseSettings(['--data-dir', 'gw-1'], '1.0.0')).toEqual({
      ok: true,
      value: {
        kind: 'run',
        settings: { dataDir: 'gw-1' },
      },
    })
  })

  test('takes a token as a word, or the file that holds it', () => {
    const where = ['--data-dir', 'gw-1']
    const asked = (args: readonly string[]) => parseSettings(args, '1.0.0')
    const enrols = (enrol: unknown) => ({ value: { kind: 'enrol', enrol, dataDir: 'gw-1' } })
    expect(asked(['enrol', 'imlma1.x', ...where])).toMatchObject(enrols({ token: 'imlma1.x' }))
    expect(asked(['enrol', '--enrol-file', 'f', ...where])).toMatchObject(enrols({ file: 'f' }))
    expect(asked(['--enrol', 'imlma1.x'])).toMatchObject({
      value: { kind: 'run', settings: { enrol: { token: 'imlma1.x' } } },
    })
    expect(asked(['identity', ...where])).toMatchObject({ value: { kind: 'identity', dataDir: 'gw-1' } })
  })

  test.each([
    ['a name that is no topic', ['--name', 'a/b', '--site', 'demo'], '--name'],
    ['a site that is no topic', ['--site', '+'], '--site'],
    ['a port beyond', [...needed, '--port', '65536'], '--port'],
    ['a port in words', [...needed, '--port', ''], '--port'],
    ['an unknown level', [...needed, '--log', 'loud'], '--log'],
    ['an unknown option', [...needed, '--colour', 'red'], '--colour'],
    ['a value without an option', [...needed, 'red'], 'red'],
    ['an option without its value', [...needed, '--root'], '--root'],
    ['a check of nothing', ['check'], '--config'],
    ['an enrolment without a token', ['enrol'], 'token'],
    ['an enrolment with two tokens', ['enrol', 'a', 'b'], 'token'],
    ['an enrolment under a name: the token says it', ['enrol', 'a', '--name', 'gw-1'], '--name'],
    ['an identity of something', ['identity', 'gw-1'], 'gw-1'],
  ])('refuses %s and names it', (_, args, named) => {
    expect(parseSettings(args, '1.0.0')).toMatchObject({
      ok: false,
      refusal: { code: 'BAD_OPTION', message: expect.stringContaining(named) },
    })
  })
})
