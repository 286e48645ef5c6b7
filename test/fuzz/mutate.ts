/** What an attacker does to honest bytes, as data: each step is a kind and two numbers that say where and what. */

import fc from 'fast-check'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What has broken parsers before: numbers at and beyond the edges, names of prototypes, half characters, deep nests. */
const poison: readonly Uint8Array[] = [
  '9007199254740993',
  '-1',
  '1e999',
  '-0',
  '1e-400',
  'null',
  '""',
  '[]',
  '{}',
  '"__proto__"',
  '"__proto__":{"polluted":true},',
  '"constructor":{"prototype":{"polluted":true}},',
  '"toString"',
  '"v":2,',
  '"v":1,',
  '../../../etc/passwd',
  '%00',
  '\u0000',
  '\u202E',
  '[['.repeat(2_000),
  '{"a":'.repeat(2_000),
  '9'.repeat(400),
  ' '.repeat(3_000),
  '\r\n\r\n',
  '+/+/+/#',
]
  .map(encode)
  .concat(
    // Invalid UTF-8: an overlong slash, half a character, a surrogate.
    Uint8Array.of(0xc0, 0xaf),
    Uint8Array.of(0xe2, 0x82),
    Uint8Array.of(0xed, 0xa0, 0x80),
    // CBOR: arrays, maps and strings of 2³² and more, tags, endless items; MQTT and protobuf lengths without end.
    Uint8Array.of(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    Uint8Array.of(0xba, 0xff, 0xff, 0xff, 0xff),
    Uint8Array.of(0x5a, 0x7f, 0xff, 0xff, 0xff),
    Uint8Array.of(0xd9, 0xd9, 0xf7),
    Uint8Array.of(0x9f),
    Uint8Array.of(0xf9, 0x7e, 0x00),
    Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f),
    new Uint8Array(4_000).fill(0x81),
  )

export const kinds = ['flip', 'set', 'cut', 'drop', 'repeat', 'splice', 'insert', 'replace'] as const
export interface Step {
  readonly kind: (typeof kinds)[number]
  readonly where: number
  readonly what: number
}

/** No honest document of a test grows beyond this by mutation. */
const bytesMax = 200_000

const join = (...parts: readonly Uint8Array[]): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole.length > bytesMax ? whole.subarray(0, bytesMax) : whole
}

/** `other` is what is spliced in: a second honest input. */
const apply = (bytes: Uint8Array, other: Uint8Array, { kind, where, what }: Step): Uint8Array => {
  const at = bytes.length === 0 ? 0 : where % bytes.length
  const length = 1 + (what % 64)
  const before = bytes.subarray(0, at)
  const morsel = poison[what % poison.length] as Uint8Array
  switch (kind) {
    case 'flip':
      return bytes.map((byte, index) => (index === at ? byte ^ (1 << (what % 8)) : byte))
    case 'set':
      return bytes.map((byte, index) => (index === at ? what & 0xff : byte))
    case 'cut':
      return bytes.slice(0, at)
    case 'drop':
      return join(before, bytes.subarray(at + length))
    case 'repeat':
      return join(bytes.subarray(0, at + length), bytes.subarray(at))
    case 'splice':
      return join(before, other.subarray(other.length === 0 ? 0 : what % other.length))
    case 'insert':
      return join(before, morsel, bytes.subarray(at))
    default:
      return join(before, morsel, bytes.subarray(at + length))
  }
}

/** Structure-aware: a document in which one value became another, which steps on bytes seldom reach. */
const alter = (given: unknown, where: number, what: number): unknown => {
  const document = { whole: structuredClone(given) }
  const places: { readonly holder: Record<string, unknown>; readonly key: string }[] = []
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || places.length > 2_000)
      return
    const holder = value as Record<string, unknown>
    for (const key of Object.keys(holder)) {
      places.push({ holder, key })
      walk(holder[key])
    }
  }
  walk(document)
  const { holder, key } = places[where % places.length] as (typeof places)[number]
  const value = structuredClone(wrongValues[what % wrongValues.length])
  if (value === undefined && holder !== (document as object)) delete holder[key]
  else holder[key] = value === 'twice' ? [holder[key], holder[key]] : (value ?? null)
  return document.whole
}
const nest = (depth: number): unknown => JSON.parse('[{"a":'.repeat(depth) + '1' + '}]'.repeat(depth))
const wrongValues: readonly unknown[] = [
  undefined,
  null,
  0,
  -1,
  1.5,
  1e15,
  2 ** 53,
  1e300,
  '',
  '__proto__',
  'A'.repeat(5_000),
  '\u0000',
  '😀'.repeat(33),
  true,
  [],
  {},
  'twice',
  nest(150),
  Array.from({ length: 300 }, () => 1),
  JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'),
]

const natural = fc.nat(2 ** 31 - 1)
const step: fc.Arbitrary<Step> = fc.record({ kind: fc.constantFrom(...kinds), where: natural, what: natural })

/** Documents and how they are written; a JSON document is found in the samples themselves. */
export interface Structured {
  readonly documents: readonly unknown[]
  readonly encode: (document: unknown) => Uint8Array
}

const jsonIn = (samples: readonly Uint8Array[]): Structured => ({
  documents: samples.flatMap((bytes): readonly unknown[] => {
    try {
      return [JSON.parse(new TextDecoder().decode(bytes))]
    } catch {
      return []
    }
  }),
  encode: (document) => encode(JSON.stringify(document)),
})

/** Honest bytes after one to five steps, altered documents, and now and then bytes out of nothing. */
export const mutated = (
  samples: readonly Uint8Array[],
  { documents, encode: write }: Structured = jsonIn(samples),
): fc.Arbitrary<Uint8Array> => {
  const sample = fc.constantFrom(...samples)
  const stepped = fc
    .tuple(sample, sample, fc.array(step, { minLength: 1, maxLength: 5 }))
    .map(([bytes, other, steps]) => steps.reduce((changed, each) => apply(changed, other, each), bytes))
  const altered = fc
    .tuple(
      fc.constantFrom(...(documents.length > 0 ? documents : [null])),
      fc.array(fc.tuple(natural, natural), { minLength: 1, maxLength: 3 }),
    )
    .map(([document, changes]) =>
      write(changes.reduce((changed, [where, what]) => alter(changed, where, what), document)),
    )
  return fc.oneof(
    { weight: 6, arbitrary: stepped },
    { weight: documents.length > 0 ? 3 : 0, arbitrary: documents.length > 0 ? altered : stepped },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  )
}
