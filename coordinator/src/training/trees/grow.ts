/**
 * Grows one tree, best leaf first, until no division pays or a bound is met. Everything is allocated once per
 * ensemble: rows are reordered in place so that every node is a stretch of them, and a node's histogram becomes that
 * of its larger child once the smaller one's is subtracted.
 */
import { missingBinOf, type BinnedTable } from './bins.ts'
import {
  buildHistogram,
  histogramOffsets,
  packGradients,
  packingFor,
  subtractHistogram,
} from './histogram.ts'
import { createSplit, findSplit, type Scene, type Split, type SplitRules } from './split.ts'
import type { Tree } from './tree.ts'

export interface GrowthRules extends SplitRules {
  readonly leavesMax: number
  /** Divisions from the root to a leaf. */
  readonly depthMax: number
  /** Loss (of the sum of rows) that a division must take away at least. */
  readonly gainMin: number
}

/** What a leaf is worth: called with its stretch of `rows`, in [low, high] under monotone constraints. */
export type LeafValue = (rows: Int32Array, begin: number, end: number, low: number, high: number) => number

export interface Grower {
  /** Reordered while a tree grows; the caller writes the rows that a tree may see to its beginning. */
  readonly rows: Int32Array
  /** A tree for the first `count` of `rows`, divided by these columns only. */
  grow(gradients: Float64Array, count: number, columns: Int32Array, leafValue: LeafValue): Tree
}

interface Node {
  begin: number
  end: number
  depth: number
  total: number
  low: number
  high: number
  histogram: Float64Array | null
  /** Of the split that was taken, or could be. */
  readonly split: Split
  left: number
  right: number
}

export const createGrower = (table: BinnedTable, rules: GrowthRules): Grower => {
  const { bins, rows: height, edges } = table
  const packing = packingFor(height)
  const { unit } = packing
  const offsets = histogramOffsets(table)
  const rows = new Int32Array(height)
  const moved = new Int32Array(height)
  const packed = new Float64Array(height)
  const gathered = new Float64Array(height)
  const nodes = Array.from({ length: 2 * rules.leavesMax - 1 }, createNode)
  const free: Float64Array[] = []
  const takeHistogram = (): Float64Array =>
    free.pop() ?? new Float64Array(offsets[offsets.length - 1] as number)

  /** Moves the left rows to the front, both sides in their old order; returns where the right ones begin. */
  const divide = ({ begin, end, split }: Node): number => {
    const base = split.column * height
    const missing = missingBinOf(edges[split.column] as Float32Array)
    const { bin, missingLeft } = split
    let left = begin
    let right = 0
    for (let i = begin; i < end; i++) {
      const row = rows[i] as number
      const own = bins[base + row] as number
      if (own === missing ? missingLeft : own <= bin) rows[left++] = row
      else moved[right++] = row
    }
    rows.set(moved.subarray(0, right), left)
    return left
  }

  const grow: Grower['grow'] = (gradients, count, columns, leafValue) => {
    const factor = packGradients(packed, gradients, packing)
    const scene: Scene = { offsets, columns, unit, rules }
    const gainMin = 2 * rules.gainMin * factor * factor
    const build = (histogram: Float64Array, { begin, end }: Node): void =>
      buildHistogram(histogram, table, offsets, columns, rows, begin, end, packed, gathered)
    const mayDivide = ({ begin, end, depth }: Node): boolean =>
      depth < rules.depthMax && end - begin >= 2 * rules.rowsMin
    const look = (node: Node): void => {
      if (node.histogram !== null) findSplit(node.split, node.histogram, scene, node)
    }

    const root = nodes[0] as Node
    placeNode(root, 0, count, 0, sumOf(packed, rows, count), -Infinity, Infinity)
    if (mayDivide(root) && rules.leavesMax > 1) {
      root.histogram = takeHistogram()
      build(root.histogram, root)
      look(root)
    }
    let used = 1
    for (let leaves = 1; leaves < rules.leavesMax; leaves++) {
      const parent = mostGain(nodes, used)
      if (parent === null || parent.split.gain <= gainMin) break
      const left = nodes[used] as Node
      const right = nodes[used + 1] as Node
      placeChildren(parent, left, right, divide(parent), rules)
      ;[parent.left, parent.right] = [used, used + 1]
      used += 2
      const [smaller, larger] =
        left.end - left.begin <= right.end - right.begin ? [left, right] : [right, left]
      const inherited = parent.histogram as Float64Array
      parent.histogram = null
      if (!mayDivide(larger) || leaves + 1 === rules.leavesMax) {
        free.push(inherited)
        continue
      }
      const own = takeHistogram()
      build(own, smaller)
      subtractHistogram(inherited, own, offsets, columns)
      larger.histogram = inherited
      look(larger)
      if (mayDivide(smaller)) {
        smaller.histogram = own
        look(smaller)
      } else free.push(own)
    }
    for (let i = 0; i < used; i++) {
      const node = nodes[i] as Node
      if (node.histogram !== null) free.push(node.histogram)
      node.histogram = null
    }
    return toTree(nodes, used, edges, (node) =>
      leafValue(rows, node.begin, node.end, node.low / factor, node.high / factor),
    )
  }
  return { rows, grow }
}

const createNode = (): Node => ({
  begin: 0,
  end: 0,
  depth: 0,
  total: 0,
  low: -Infinity,
  high: Infinity,
  histogram: null,
  split: createSplit(),
  left: -1,
  right: -1,
})

const placeNode = (
  node: Node,
  begin: number,
  end: number,
  depth: number,
  total: number,
  low: number,
  high: number,
): void => {
  node.begin = begin
  node.end = end
  node.depth = depth
  node.total = total
  node.low = low
  node.high = high
  node.histogram = null
  node.split.column = -1
  node.left = -1
  node.right = -1
}

/** A constrained division sets a border between its children's values, half-way between them. */
const placeChildren = (
  { begin, end, depth, total, low, high, split }: Node,
  left: Node,
  right: Node,
  middle: number,
  { monotone }: SplitRules,
): void => {
  const direction = monotone === null ? 0 : (monotone[split.column] as number)
  const border = (split.leftValue + split.rightValue) / 2
  placeNode(
    left,
    begin,
    middle,
    depth + 1,
    split.left,
    direction < 0 ? border : low,
    direction > 0 ? border : high,
  )
  placeNode(
    right,
    middle,
    end,
    depth + 1,
    total - split.left,
    direction > 0 ? border : low,
    direction < 0 ? border : high,
  )
}

const sumOf = (packed: Float64Array, rows: Int32Array, count: number): number => {
  let sum = 0
  for (let i = 0; i < count; i++) sum += packed[rows[i] as number] as number
  return sum
}

/** The leaf whose division takes away most; the older one of two alike. */
const mostGain = (nodes: readonly Node[], used: number): Node | null => {
  let best: Node | null = null
  for (let i = 0; i < used; i++) {
    const node = nodes[i] as Node
    if (node.histogram === null || node.split.column < 0) continue
    if (best === null || node.split.gain > best.split.gain) best = node
  }
  return best
}

const toTree = (
  nodes: readonly Node[],
  used: number,
  edges: readonly Float32Array[],
  valueOf: (node: Node) => number,
): Tree => {
  const grown = nodes.slice(0, used)
  const divided = ({ left }: Node): boolean => left >= 0
  return {
    column: Int32Array.from(grown, (node) => (divided(node) ? node.split.column : -1)),
    threshold: Float32Array.from(grown, (node) => (divided(node) ? thresholdOf(edges, node.split) : 0)),
    bin: Uint8Array.from(grown, (node) => (divided(node) ? node.split.bin : 0)),
    missingLeft: Uint8Array.from(grown, (node) => (divided(node) && node.split.missingLeft ? 1 : 0)),
    left: Int32Array.from(grown, (node) => node.left),
    right: Int32Array.from(grown, (node) => node.right),
    value: Float32Array.from(grown, (node) => (divided(node) ? 0 : valueOf(node))),
  }
}

/** Behind the last edge lies nothing but what is missing. */
const thresholdOf = (edges: readonly Float32Array[], { column, bin }: Split): number =>
  edges[column]?.[bin] ?? Infinity
