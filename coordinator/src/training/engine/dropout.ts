/** Dropout: while training, values are zero with this probability and the others grow so that the mean stays. */
import type { GraphBuilder, Value } from '../graph.ts'

/** Which ones is drawn by the runtime from `seed`: the same in every session, different in every run of it. */
export const dropout = (graph: GraphBuilder, a: Value, ratio: number, seed: number): Value => {
  const on = graph.constant(`${a.name}_training`, 'bool', [], [1])
  const [kept] = graph.nodeWith(
    'Dropout',
    [a, graph.scalar(a.type, ratio), on],
    [
      { type: a.type, shape: a.shape },
      { type: 'bool', shape: a.shape },
    ],
    { seed },
  )
  return kept as Value
}
