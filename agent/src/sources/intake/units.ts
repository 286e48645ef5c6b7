/**
 * From the unit in which an input writes a quantity to the one in which it is kept. Only prefixes of one dimension are
 * converted: power never becomes energy here, that takes time and is an aggregate.
 */

interface Unit {
  readonly dimension: string
  readonly factor: number
}

const prefixes: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9 }

const prefixed = (name: string): readonly (readonly [string, Unit])[] =>
  Object.entries(prefixes).map(([prefix, factor]) => [prefix + name, { dimension: name, factor }] as const)

const units: ReadonlyMap<string, Unit> = new Map<string, Unit>([
  ...['W', 'Wh', 'VA', 'VAh', 'var', 'varh', 'V', 'A'].flatMap(prefixed),
  ['mV', { dimension: 'V', factor: 1e-3 }],
  ['mA', { dimension: 'A', factor: 1e-3 }],
  ['J', { dimension: 'Wh', factor: 1 / 3_600 }],
  ['kJ', { dimension: 'Wh', factor: 1 / 3.6 }],
  ['MJ', { dimension: 'Wh', factor: 1_000 / 3.6 }],
  ['m3', { dimension: 'm3', factor: 1 }],
  ['dm3', { dimension: 'm3', factor: 1e-3 }],
  ['l', { dimension: 'm3', factor: 1e-3 }],
])

/** What a value in `from` is multiplied by to be one in `to`; undefined where one does not become the other. */
export const conversion = (from: string, to: string): number | undefined => {
  if (from === to) return 1
  const [source, target] = [units.get(from), units.get(to)]
  if (source === undefined || target?.dimension !== source.dimension) return undefined
  return source.factor / target.factor
}

/** The unit of the energy that a power makes: `kW` → `kWh`. */
export const energyUnitOf = (power: string): string | undefined =>
  /^[kMG]?(?:W|VA|var)$/.test(power) ? `${power}h` : undefined
