/** Two versions side by side. Where the gate has judged both on the same rows, those figures come first. */

import type { Figures, ComparisonView, VersionView } from './views.ts'

type Line = ComparisonView['lines'][number]
type Side = 'lower' | 'higher' | 'neither'

export const toComparison = (a: VersionView, b: VersionView): ComparisonView => {
  const shared = sameWindowOf(a, b)
  const [gateA, gateB] = shared === null ? [a.figures, b.figures] : [shared.a, shared.b]
  return {
    model: a.model,
    a: a.version,
    b: b.version,
    sameWindow:
      shared === null ? null : { window: shared.window, rows: shared.rows, decidedFor: shared.decidedFor },
    lines: [
      ...figureLines('gate', shared !== null, gateA, gateB),
      ...figureLines('fleet', false, a.live?.figures ?? null, b.live?.figures ?? null),
      line(
        'latency p50',
        'fleet',
        'ms',
        'lower',
        [a.live?.latencyMs?.p50, b.live?.latencyMs?.p50],
        runsOf(a, b),
      ),
      line(
        'latency p99',
        'fleet',
        'ms',
        'lower',
        [a.live?.latencyMs?.p99, b.live?.latencyMs?.p99],
        runsOf(a, b),
      ),
      line('readings', 'training', '', 'neither', [a.dataset.readings, b.dataset.readings]),
      line('training examples', 'training', '', 'neither', [a.rows, b.rows]),
      line('training time', 'training', 's', 'neither', [a.trainSeconds, b.trainSeconds]),
      line('artifact', 'training', 'B', 'neither', [a.artifact.bytes, b.artifact.bytes]),
    ],
    traits: traitsOf(a, b),
  }
}

/** The gate's decision about one of them in which the other was the champion. */
const sameWindowOf = (a: VersionView, b: VersionView) => {
  for (const [judged, other] of [
    [b, a],
    [a, b],
  ] as const) {
    const decision = judged.decision
    if (decision?.champion.version !== other.version) continue
    const champion = { ...decision.champion, rows: decision.rows }
    const challenger = { ...decision.challenger, rows: decision.rows }
    return {
      window: decision.window,
      rows: decision.rows,
      decidedFor: judged.version,
      a: judged === b ? champion : challenger,
      b: judged === b ? challenger : champion,
    }
  }
  return null
}

/** Which side is better is said only of figures on the same rows: another week may simply be easier to forecast. */
const figureLines = (
  basis: Line['basis'],
  sameRows: boolean,
  a: Figures | null,
  b: Figures | null,
): Line[] => {
  const rows = [a?.rows, b?.rows] as const
  return [
    line('MSE', basis, 'unit²', sameRows ? 'lower' : 'neither', [a?.mse, b?.mse], rows),
    line('MAE', basis, 'unit', sameRows ? 'lower' : 'neither', [a?.mae, b?.mae], rows),
    line('R²', basis, '', sameRows ? 'higher' : 'neither', [a?.r2, b?.r2], rows),
  ]
}

type Pair = readonly [number | null | undefined, number | null | undefined]

const line = (
  name: string,
  basis: Line['basis'],
  unit: string,
  side: Side,
  [givenA, givenB]: Pair,
  [rowsA, rowsB]: Pair = [null, null],
): Line => {
  const a = givenA ?? null
  const b = givenB ?? null
  const comparable = a !== null && b !== null
  return {
    name,
    basis,
    unit,
    a,
    b,
    rowsA: rowsA ?? null,
    rowsB: rowsB ?? null,
    change: comparable && a !== 0 ? (b - a) / Math.abs(a) : null,
    better: !comparable || side === 'neither' ? null : betterOf(a, b, side),
  }
}

const betterOf = (a: number, b: number, side: Exclude<Side, 'neither'>): 'a' | 'b' | 'same' => {
  if (a === b) return 'same'
  return a < b === (side === 'lower') ? 'a' : 'b'
}

const runsOf = (a: VersionView, b: VersionView): Pair => [a.live?.runs, b.live?.runs]

const traitsOf = (a: VersionView, b: VersionView): ComparisonView['traits'] => {
  const names = [...new Set([...Object.keys(a.parameters), ...Object.keys(b.parameters)])].toSorted()
  const pairs: (readonly [string, string, string])[] = [
    ['state', a.state, b.state],
    ['shadow', shadowText(a), shadowText(b)],
    ['learner', a.learner, b.learner],
    ['parent', String(a.parent ?? 'none'), String(b.parent ?? 'none')],
    ['trigger', a.trigger.kind, b.trigger.kind],
    ['dataset', a.dataset.sha256.slice(0, 12), b.dataset.sha256.slice(0, 12)],
    ['code version', a.codeVersion, b.codeVersion],
    ...names.map((name) => [name, text(a.parameters[name]), text(b.parameters[name])] as const),
  ]
  return pairs.map(([name, sideA, sideB]) => ({ name, a: sideA, b: sideB, differs: sideA !== sideB }))
}

const shadowText = ({ shadow }: VersionView): string => {
  if (shadow === null) return 'never'
  return `beside version ${shadow.champion}, ${shadow.ended?.reason ?? 'lasting'}`
}

const text = (value: unknown): string =>
  value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value)
