import fc from 'fast-check'
import { expect, test } from 'vitest'
import { identityKinds, parseUri, toUri } from './identity.ts'

test('an identity is read as it was written', () => {
  for (const kind of identityKinds) {
    expect(parseUri(toUri({ kind, site: 'north', name: 'gw-1' }))).toEqual({
      kind,
      site: 'north',
      name: 'gw-1',
    })
  }
})

test.each([
  'imlma://north/agent/',
  'imlma:///agent/gw-1',
  'imlma://north/technician/gw-1',
  'imlma://north/__proto__/gw-1',
  'imlma://north/agent/gw-1/x',
  'imlma://north/agent/gw 1',
  'imlma://north/agent/+',
  'imlma://north/agent/gw-1\n',
  'https://north/agent/gw-1',
  ' imlma://north/agent/gw-1',
])('%j is nobody', (uri) => {
  expect(parseUri(uri)).toBeUndefined()
})

test('no text breaks it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(parseUri(`imlma://${text}`)?.name ?? 'none').toMatch(/^[\w-]+$/)
    }),
    { seed: 4 },
  )
})
