import { describe, expect, test } from 'vitest'
import { chooseNext, liveBatchesMax, withLive } from './lanes.ts'
import { admit, mayLeave, stepAck, toAcknowledged, without, type Numbering } from './sequence.ts'

/**
 * An agent and its coordinator, small enough to be walked through: ids 1 … 6 (even ones are backlog), a window of three
 * places, acknowledgements and packets that may arrive late, power cuts that lose whatever is not on disk.
 */
interface World {
  readonly appended: number
  readonly held: readonly number[]
  readonly numbering: Numbering
  /** What the disk says: removals of acknowledged batches come to it with the next write. */
  readonly disk: { readonly held: readonly number[]; readonly numbering: Numbering }
  /** Packets on the wire: any of them may be lost or come late. */
  readonly wire: readonly { readonly seq: number; readonly id: number }[]
  readonly stored: Readonly<Record<number, number>>
}

const idsMax = 6
const windowMax = 3
const isLive = (id: number): boolean => id % 2 === 1

const fresh: Numbering = { next: null, isConfirmed: true, window: [] }
const start: World = {
  appended: 0,
  held: [],
  numbering: fresh,
  disk: { held: [], numbering: fresh },
  wire: [],
  stored: {},
}

const written = (world: World): World => ({
  ...world,
  disk: { held: world.held, numbering: world.numbering },
})

const acknowledgedBy = ({ stored }: World): number => {
  let seq = 0
  while (stored[seq + 1] !== undefined) seq += 1
  return seq
}

const append = (world: World): World => {
  const id = world.appended + 1
  return written({ ...world, appended: id, held: [...world.held, id] })
}

const leave = (world: World): World => {
  const { numbering, held } = world
  const numbered = new Set(numbering.window.map(({ id }) => id))
  const free = held.filter((id) => !numbered.has(id))
  const chosen = chooseNext(
    { live: free.filter(isLive), backlog: (count) => free.filter((id) => !isLive(id)).slice(0, count) },
    {
      batchesMax: windowMax - numbering.window.length,
      backlogMax: 2,
      backlogNumbered: numbering.window.filter(({ isBacklog }) => isBacklog).length,
    },
  )
  const next = chosen.length === 0 ? world : written({ ...world, numbering: admit(numbering, chosen) })
  const wire = next.numbering.window.filter(
    ({ seq }) => !world.wire.some((packet) => packet.seq === seq) && world.stored[seq] === undefined,
  )
  return { ...next, wire: [...next.wire, ...wire.map(({ seq, id }) => ({ seq, id }))] }
}

const arrive = (world: World, place: number): World => {
  const packet = world.wire[place] as World['wire'][number]
  const known = world.stored[packet.seq]
  expect(known ?? packet.id, 'one sequence, one batch').toBe(packet.id)
  return {
    ...world,
    wire: world.wire.filter((_, i) => i !== place),
    stored: { ...world.stored, [packet.seq]: packet.id },
  }
}

const acknowledge = (world: World, seq: number): World => {
  const step = stepAck(world.numbering, seq)
  if (step === undefined) return world
  const gone = new Set(step.removed.map(({ id }) => id))
  for (const id of gone) expect(Object.values(world.stored), `${id} is stored before it goes`).toContain(id)
  const next = { ...world, numbering: step.numbering, held: world.held.filter((id) => !gone.has(id)) }
  return step.removed.length === 0 ? written(next) : next
}

const powerCut = (world: World): World => ({ ...world, ...world.disk })

const steps = (world: World): readonly World[] => [
  ...(world.appended < idsMax ? [append(world)] : []),
  ...(mayLeave(world.numbering) ? [leave(world)] : []),
  ...world.wire.flatMap((_, place) => [
    arrive(world, place),
    { ...world, wire: world.wire.filter((_packet, i) => i !== place) },
  ]),
  // An acknowledgement may be as old as the first one.
  ...Array.from({ length: acknowledgedBy(world) + 1 }, (_, seq) => acknowledge(world, seq)),
  powerCut(world),
]

const finish = (world: World): World => {
  let at = world
  for (let round = 0; round < 20; round++) {
    at = acknowledge(at, acknowledgedBy(at))
    if (mayLeave(at.numbering)) at = leave(at)
    while (at.wire.length > 0) at = arrive(at, 0)
  }
  return at
}

test('in every order of appends, packets, acknowledgements and power cuts each batch is stored exactly once', () => {
  const seen = new Map([[JSON.stringify(start), start]])
  for (const [name, world] of seen) {
    for (const next of steps(world)) {
      const key = JSON.stringify(next)
      if (!seen.has(key)) seen.set(key, next)
    }
    const ids = Object.values(finish(world).stored).toSorted((a, b) => a - b)
    expect(ids, `from ${name}`).toEqual(Array.from({ length: world.appended }, (_, i) => i + 1))
  }
  expect(seen.size).toBeGreaterThan(2_000)
})

describe('numbers', () => {
  const window = [
    { seq: 5, id: 9, isBacklog: false },
    { seq: 6, id: 2, isBacklog: true },
  ]
  const numbering: Numbering = { next: 7, isConfirmed: true, window }

  test('are not given before the coordinator has spoken, and not before it has confirmed a broken file', () => {
    expect(mayLeave(fresh)).toBe(false)
    const doubtful = { ...numbering, isConfirmed: false }
    expect(mayLeave(doubtful)).toBe(false)
    expect(stepAck(doubtful, 4)).toEqual({ numbering, removed: [], renumbered: false })
    expect(stepAck(doubtful, 5)?.removed).toEqual(window.slice(0, 1))
  })

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 52 + 1, 4, 0])(
    'do not change with the acknowledgement %d',
    (seq) => expect(stepAck(numbering, seq)).toBeUndefined(),
  )

  test('begin again above what the coordinator knows and was never given', () => {
    const begun = { next: 9, isConfirmed: true, window: [] }
    expect(stepAck(numbering, 8)).toEqual({ numbering: begun, removed: [], renumbered: true })
    expect(stepAck(fresh, 8)?.numbering).toEqual(begun)
  })

  test('of batches that were dropped are not given again', () => {
    const rest = without(numbering, new Set([2]))
    expect(admit(rest, [{ id: 11, isBacklog: false }]).window.map(({ seq, id }) => [seq, id])).toEqual([
      [5, 9],
      [7, 11],
    ])
    expect(toAcknowledged(without(numbering, new Set([2, 9])))).toBe(6)
    expect([toAcknowledged(numbering), toAcknowledged(fresh)]).toEqual([4, undefined])
  })
})

describe('lanes', () => {
  const backlog = (count: number) => [1, 2, 3, 4, 5, 6].slice(0, count)

  test('fill what live readings leave of the window, up to the share of the backlog', () => {
    const choose = (batchesMax: number, backlogMax: number, backlogNumbered = 0) =>
      chooseNext({ live: [8, 9], backlog }, { batchesMax, backlogMax, backlogNumbered }).map(({ id }) => id)
    expect(choose(1, 4)).toEqual([8])
    expect(choose(3, 4)).toEqual([8, 9, 1])
    expect(choose(9, 4)).toEqual([8, 9, 1, 2, 3, 4])
    expect(choose(9, 4, 2)).toEqual([8, 9, 1, 2])
    expect(choose(9, 4, 3)).toEqual([8, 9])
    expect(choose(9, 0)).toEqual([8, 9])
  })

  test('let the oldest live batch fall into the backlog', () => {
    const live = Array.from({ length: 20 }, (_, i) => i).reduce<readonly number[]>(withLive, [])
    expect(live).toEqual(Array.from({ length: liveBatchesMax }, (_, i) => i + 4))
  })
})
