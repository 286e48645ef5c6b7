/**
 * Functions that optimisers are measured on, as D. Bingham's "Virtual Library of Simulation Experiments" defines them,
 * on the boxes of the reference figures. Lowest values are known, so that regret can be told.
 */

export interface TestFunction {
  readonly name: string
  readonly low: readonly number[]
  readonly high: readonly number[]
  readonly lowest: number
  value(x: readonly number[]): number
}

const sum = (x: readonly number[], term: (value: number, i: number) => number): number =>
  x.reduce((total, value, i) => total + term(value, i), 0)

const box = (axes: number, low: number, high: number): Pick<TestFunction, 'low' | 'high'> => ({
  low: Array.from({ length: axes }, () => low),
  high: Array.from({ length: axes }, () => high),
})

const branin: TestFunction = {
  name: 'branin2',
  low: [-5, 0],
  high: [10, 15],
  lowest: 10 / (8 * Math.PI),
  value: ([x = 0, y = 0]) =>
    (y - (5.1 / (4 * Math.PI ** 2)) * x * x + (5 / Math.PI) * x - 6) ** 2 +
    10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) +
    10,
}

const hartmannWeights = [1, 1.2, 3, 3.2]
const hartmannWidths = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
]
const hartmannCentres = [
  [1312, 1696, 5569, 124, 8283, 5886],
  [2329, 4135, 8307, 3736, 1004, 9991],
  [2348, 1451, 3522, 2883, 3047, 6650],
  [4047, 8828, 8732, 5743, 1091, 381],
]

const hartmann: TestFunction = {
  name: 'hartmann6',
  ...box(6, 0, 1),
  lowest: -3.3223680114155147,
  value: (x) =>
    -sum(hartmannWeights, (weight, k) => {
      const off = sum(x, (at, i) => hartmannWidths[k]![i]! * (at - hartmannCentres[k]![i]! / 10_000) ** 2)
      return weight * Math.exp(-off)
    }),
}

const ackley: TestFunction = {
  name: 'ackley5',
  ...box(5, -32.768, 32.768),
  lowest: 0,
  value: (x) =>
    20 +
    Math.E -
    20 * Math.exp(-0.2 * Math.sqrt(sum(x, (at) => at * at) / x.length)) -
    Math.exp(sum(x, (at) => Math.cos(2 * Math.PI * at)) / x.length),
}

const levy: TestFunction = {
  name: 'levy5',
  ...box(5, -10, 10),
  lowest: 0,
  value: (x) => {
    const w = x.map((at) => 1 + (at - 1) / 4)
    const last = w.at(-1)!
    return (
      Math.sin(Math.PI * w[0]!) ** 2 +
      sum(w.slice(0, -1), (at) => (at - 1) ** 2 * (1 + 10 * Math.sin(Math.PI * at + 1) ** 2)) +
      (last - 1) ** 2 * (1 + Math.sin(2 * Math.PI * last) ** 2)
    )
  },
}

const griewank: TestFunction = {
  name: 'griewank5',
  ...box(5, -600, 600),
  lowest: 0,
  value: (x) =>
    1 +
    sum(x, (at) => at * at) / 4_000 -
    x.reduce((product, at, i) => product * Math.cos(at / Math.sqrt(i + 1)), 1),
}

const rosenbrock: TestFunction = {
  name: 'rosen5',
  ...box(5, -5, 10),
  lowest: 0,
  value: (x) => sum(x.slice(0, -1), (at, i) => 100 * (x[i + 1]! - at * at) ** 2 + (at - 1) ** 2),
}

const michalewicz: TestFunction = {
  name: 'michal5',
  ...box(5, 0, Math.PI),
  lowest: -4.687658,
  value: (x) => -sum(x, (at, i) => Math.sin(at) * Math.sin(((i + 1) * at * at) / Math.PI) ** 20),
}

const schwefel: TestFunction = {
  name: 'schwefel5',
  ...box(5, -500, 500),
  lowest: 0,
  value: (x) => 418.9828872724339 * x.length - sum(x, (at) => at * Math.sin(Math.sqrt(Math.abs(at)))),
}

const shekelCentres = [
  [4, 4, 4, 4],
  [1, 1, 1, 1],
  [8, 8, 8, 8],
  [6, 6, 6, 6],
  [3, 7, 3, 7],
  [2, 9, 2, 9],
  [5, 5, 3, 3],
  [8, 1, 8, 1],
  [6, 2, 6, 2],
  [7, 3.6, 7, 3.6],
]
const shekelWidths = [0.1, 0.2, 0.2, 0.4, 0.4, 0.6, 0.3, 0.7, 0.5, 0.5]

const shekel: TestFunction = {
  name: 'shekel4',
  ...box(4, 0, 10),
  lowest: -10.536409816692023,
  value: (x) =>
    -sum(shekelWidths, (width, k) => 1 / (width + sum(x, (at, i) => (at - shekelCentres[k]![i]!) ** 2))),
}

export const testFunctions: readonly TestFunction[] = [
  branin,
  hartmann,
  ackley,
  levy,
  griewank,
  rosenbrock,
  michalewicz,
  schwefel,
  shekel,
]
