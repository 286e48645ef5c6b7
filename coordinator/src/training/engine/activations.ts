/** Activations by name. Those without an operator of their own are put together from others, so that every one has its gradient. */
import type { GraphBuilder, Value } from '../graph.ts'
import {
  add,
  exponential,
  maximum,
  minimum,
  multiply,
  relu,
  sigmoid,
  softplus,
  subtract,
  tanh,
} from '../operators.ts'

export const activationNames = [
  'relu',
  'leaky-relu',
  'elu',
  'tanh',
  'sigmoid',
  'softplus',
  'gelu',
  'silu',
] as const
export type ActivationName = (typeof activationNames)[number]

type Activation = (graph: GraphBuilder, a: Value) => Value

/** Slope below zero. */
const leak = 0.01

const leakyRelu: Activation = (graph, a) => maximum(graph, a, multiply(graph, a, graph.scalar(a.type, leak)))

/** x above zero, eˣ − 1 below; the exponent never grows large. */
const elu: Activation = (graph, a) => {
  const [zero, one] = [graph.scalar(a.type, 0), graph.scalar(a.type, 1)]
  const below = subtract(graph, exponential(graph, minimum(graph, a, zero)), one)
  return add(graph, relu(graph, a), below)
}

/** The tanh form. Source: Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016), section 2. */
const gelu: Activation = (graph, a) => {
  const number = (value: number): Value => graph.scalar(a.type, value)
  const cube = multiply(graph, multiply(graph, a, a), a)
  const inner = add(graph, a, multiply(graph, cube, number(0.044715)))
  const gate = add(graph, tanh(graph, multiply(graph, inner, number(Math.sqrt(2 / Math.PI)))), number(1))
  return multiply(graph, multiply(graph, a, number(0.5)), gate)
}

const silu: Activation = (graph, a) => multiply(graph, a, sigmoid(graph, a))

const activations: Readonly<Record<ActivationName, Activation>> = {
  relu,
  'leaky-relu': leakyRelu,
  elu,
  tanh,
  sigmoid,
  softplus,
  gelu,
  silu,
}

export const activate = (graph: GraphBuilder, name: ActivationName, a: Value): Value =>
  activations[name](graph, a)
