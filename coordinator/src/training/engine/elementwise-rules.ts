/** Gradients of elementwise operators. What was broadcast on the way forward is summed on the way back. */
import type { GraphBuilder, Value } from '../graph.ts'
import { divide, greater, multiply, negate, select, sigmoid, subtract } from '../operators.ts'
import { sumToShape } from './reductions.ts'
import { ruleOf, type GradientRule } from './rule.ts'

const zero = (graph: GraphBuilder, { type }: Value): Value => graph.scalar(type, 0)

const sign = (graph: GraphBuilder, a: Value): Value =>
  graph.node('Sign', [a], { type: a.type, shape: a.shape })

const nothing: GradientRule = () => []

/** The larger (smaller) one takes the gradient; where both are equal it is b. */
const chosen = (takesA: 'larger' | 'smaller'): GradientRule =>
  ruleOf(({ graph, a, b, gradient }) => {
    const isA = (): Value => (takesA === 'larger' ? greater(graph, a, b) : greater(graph, b, a))
    return [
      () => sumToShape(graph, select(graph, isA(), gradient, zero(graph, a)), a.shape),
      () => sumToShape(graph, select(graph, isA(), zero(graph, a), gradient), b.shape),
    ]
  })

export const elementwiseRules: Readonly<Record<string, GradientRule>> = {
  Add: ruleOf(({ graph, a, b, gradient }) => [
    () => sumToShape(graph, gradient, a.shape),
    () => sumToShape(graph, gradient, b.shape),
  ]),
  Sub: ruleOf(({ graph, a, b, gradient }) => [
    () => sumToShape(graph, gradient, a.shape),
    () => negate(graph, sumToShape(graph, gradient, b.shape)),
  ]),
  Mul: ruleOf(({ graph, a, b, gradient }) =>
    a === b
      ? [() => multiply(graph, gradient, multiply(graph, a, graph.scalar(a.type, 2)))]
      : [
          () => sumToShape(graph, multiply(graph, gradient, b), a.shape),
          () => sumToShape(graph, multiply(graph, gradient, a), b.shape),
        ],
  ),
  Div: ruleOf(({ graph, a, b, output, gradient }) => [
    () => sumToShape(graph, divide(graph, gradient, b), a.shape),
    () => negate(graph, sumToShape(graph, divide(graph, multiply(graph, gradient, output), b), b.shape)),
  ]),
  Max: chosen('larger'),
  Min: chosen('smaller'),
  Where: (graph, { inputs: [condition, a, b] }, [gradient]) => {
    const [g, c, left, right] = [gradient, condition, a, b] as [Value, Value, Value, Value]
    return [
      undefined,
      () => sumToShape(graph, select(graph, c, g, zero(graph, g)), left.shape),
      () => sumToShape(graph, select(graph, c, zero(graph, g), g), right.shape),
    ]
  },
  Abs: ruleOf(({ graph, a, gradient }) => [() => multiply(graph, gradient, sign(graph, a))]),
  Neg: ruleOf(({ graph, gradient }) => [() => negate(graph, gradient)]),
  Exp: ruleOf(({ graph, output, gradient }) => [() => multiply(graph, gradient, output)]),
  Log: ruleOf(({ graph, a, gradient }) => [() => divide(graph, gradient, a)]),
  Sqrt: ruleOf(({ graph, output, gradient }) => [
    () => divide(graph, gradient, multiply(graph, output, graph.scalar(output.type, 2))),
  ]),
  Relu: ruleOf(({ graph, output, gradient }) => [
    () => select(graph, greater(graph, output, zero(graph, output)), gradient, zero(graph, output)),
  ]),
  Tanh: ruleOf(({ graph, output, gradient }) => [
    () =>
      multiply(
        graph,
        gradient,
        subtract(graph, graph.scalar(output.type, 1), multiply(graph, output, output)),
      ),
  ]),
  Sigmoid: ruleOf(({ graph, output, gradient }) => [
    () => multiply(graph, gradient, subtract(graph, output, multiply(graph, output, output))),
  ]),
  Softplus: ruleOf(({ graph, a, gradient }) => [() => multiply(graph, gradient, sigmoid(graph, a))]),
  /** Steps: their slope is zero wherever they have one. */
  Sign: nothing,
  Greater: nothing,
  /** Outputs: what was kept, scaled so that its mean stays, and where. */
  Dropout: (graph, { inputs: [, ratio], outputs: [, mask] }, [gradient]) => {
    const [g, p, kept] = [gradient, ratio, mask] as [Value, Value, Value]
    const scale = (): Value => subtract(graph, graph.scalar(g.type, 1), p)
    return [() => select(graph, kept, divide(graph, g, scale()), zero(graph, g))]
  },
}
