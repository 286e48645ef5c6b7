/**
 * Forests as the attributes of ONNX's `TreeEnsembleRegressor` (ai.onnx.ml, version 3): parallel lists over all nodes
 * of all trees. Forest number i adds to target i.
 */
import type { Attribute } from '../graph.ts'
import type { Forest } from './boost.ts'
import type { Tree } from './tree.ts'

/** `positions` says where the ensemble's input holds a column. */
export const ensembleAttributes = (
  forests: readonly Forest[],
  positions: ReadonlyMap<number, number>,
): Readonly<Record<string, Attribute>> => {
  const ints = new Map<string, number[]>(intNames.map((name) => [name, []]))
  const push = (name: (typeof intNames)[number], value: number): void => void ints.get(name)?.push(value)
  const thresholds: number[] = []
  const weights: number[] = []
  const modes: string[] = []
  let treeNumber = 0
  const addNode = (tree: Tree, node: number, target: number): void => {
    const column = tree.column[node] as number
    const leaf = column < 0
    push('nodes_treeids', treeNumber)
    push('nodes_nodeids', node)
    push('nodes_featureids', leaf ? 0 : (positions.get(column) as number))
    push('nodes_truenodeids', leaf ? 0 : (tree.left[node] as number))
    push('nodes_falsenodeids', leaf ? 0 : (tree.right[node] as number))
    push('nodes_missing_value_tracks_true', tree.missingLeft[node] as number)
    thresholds.push(tree.threshold[node] as number)
    modes.push(leaf ? 'LEAF' : 'BRANCH_LEQ')
    if (!leaf) return
    push('target_treeids', treeNumber)
    push('target_nodeids', node)
    push('target_ids', target)
    weights.push(tree.value[node] as number)
  }
  forests.forEach(({ trees }, target) => {
    for (const tree of trees.length > 0 ? trees : [nothing]) {
      for (let node = 0; node < tree.column.length; node++) addNode(tree, node, target)
      treeNumber += 1
    }
  })
  return {
    n_targets: forests.length,
    base_values: { floats: forests.map(({ base }) => base) },
    aggregate_function: { string: 'SUM' },
    post_transform: { string: 'NONE' },
    nodes_modes: { strings: modes },
    nodes_values: { floats: thresholds },
    target_weights: { floats: weights },
    ...Object.fromEntries(ints),
  }
}

/** The columns that any tree asks for, ascending; never none. */
export const usedColumns = (forests: readonly Forest[]): readonly number[] => {
  const used = new Set(forests.flatMap(({ trees }) => trees.flatMap(({ column }) => [...column])))
  used.delete(-1)
  return used.size === 0 ? [0] : [...used].toSorted((a, b) => a - b)
}

const intNames = [
  'nodes_treeids',
  'nodes_nodeids',
  'nodes_featureids',
  'nodes_truenodeids',
  'nodes_falsenodeids',
  'nodes_missing_value_tracks_true',
  'target_treeids',
  'target_nodeids',
  'target_ids',
] as const

/** A forest without trees still needs one in ONNX. */
const nothing: Tree = {
  column: Int32Array.of(-1),
  threshold: Float32Array.of(0),
  bin: Uint8Array.of(0),
  missingLeft: Uint8Array.of(0),
  left: Int32Array.of(-1),
  right: Int32Array.of(-1),
  value: Float32Array.of(0),
}
