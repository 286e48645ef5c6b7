import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sourceConfigSchema, sourceConfigsSchema } from './config.ts'

const page = readFileSync(join(import.meta.dirname, '../../SOURCES.md'), 'utf8')
const examples = [...page.matchAll(/```json\n(.*?)```/gs)].map(
  ([, text = '']) => (JSON.parse(text) as { readonly sources: readonly object[] }).sources,
)

test('every example of the page is a configuration, and every kind of source has one', () => {
  for (const sources of examples) expect(sourceConfigsSchema.safeParse(sources).error).toBeUndefined()
  const kinds = new Set(examples.flat().map((source) => (source as { readonly kind: string }).kind))
  expect(kinds).toEqual(new Set(sourceConfigSchema.options.map(({ shape }) => shape.kind.value)))
})

describe('a configuration is refused', () => {
  const mqtt = examples.flat().find((source) => (source as { readonly kind: string }).kind === 'mqtt')
  const modbus = examples.flat().find((source) => (source as { readonly kind: string }).kind === 'modbus')
  const dsmr = examples.flat().find((source) => (source as { readonly kind: string }).kind === 'dsmr')
  const [value] = [{ field: 'v', register: 'r' }]
  test.each([
    ['plain MQTT to another machine', { ...mqtt, url: 'mqtt://192.168.1.2' }, 'another machine'],
    ['a password in the address', { ...mqtt, url: 'mqtts://u:p@broker' }, 'passwordFile'],
    ['an address of something else', { ...mqtt, url: 'http://127.0.0.1' }, 'mqtt://'],
    ['no topic filter', { ...mqtt, topic: 'a/#/b' }, 'no topic filter'],
    [
      'energy of something that is no power',
      { ...mqtt, values: [{ ...value, unit: 'V', aggregate: 'energy' }] },
      'power',
    ],
    [
      'power that should become energy by a unit',
      { ...mqtt, values: [{ ...value, unit: 'W', to: 'kWh' }] },
      'does not become',
    ],
    ['one register of two values', { ...mqtt, values: [value, value] }, 'two values'],
    ['a condition on nothing', { ...mqtt, topic: 'a/{meter}', values: [{ ...value, when: 'x' }] }, 'when'],
    [
      'samples more rare than intervals',
      { ...mqtt, values: [{ ...value, aggregate: 'mean', sampleEveryMs: 1e6 }] },
      'rarely',
    ],
    ['samples without an aggregate', { ...modbus, values: [{ address: 1, register: 'r' }] }, 'aggregate'],
    ['a field that nobody knows', { ...modbus, adress: 1 }, 'adress'],
    ['a port and a device', { ...dsmr, host: 'h', port: 1 }, 'or device'],
  ])('%s', (_, source, reason) => {
    const parsed = sourceConfigsSchema.safeParse([source])
    expect(JSON.stringify(parsed.error?.issues)).toContain(reason)
  })
})
