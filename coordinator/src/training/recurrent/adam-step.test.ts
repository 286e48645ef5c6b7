import { expect, test } from 'vitest'
import { createRandom } from '../../tuning/random.ts'
import { adamDefaults, adamNodes, adamScalars } from '../engine/adam.ts'
import { createGraphSessions } from '../engine/session.onnx.ts'
import { createGraphBuilder } from '../graph.ts'
import { startAdam, stepAdam } from './adam-step.ts'

test.each([
  { weightDecay: 0.1, gradientNormMax: 0.5 },
  { weightDecay: 0, gradientNormMax: 1e6 },
])('steps of Adam on lists are those of the graph: %o', async (wishes) => {
  const length = 20
  const options = { ...adamDefaults, ...wishes }
  const decayMask = Float32Array.from({ length }, (_, i) => i % 2)
  const graph = createGraphBuilder('adam')
  const list = (name: string) => graph.input(name, 'float32', [length])
  const scalar = (name: string) => graph.input(name, 'float32', [])
  const next = adamNodes(
    graph,
    { weights: list('weights'), first: list('first'), second: list('second') },
    list('gradient'),
    { rate: scalar('rate'), firstScale: scalar('firstScale'), secondScale: scalar('secondScale') },
    options,
    decayMask,
  )
  const session = await createGraphSessions().open(graph.build([next.weights, next.first, next.second]))

  const random = createRandom(3)
  const start = Float32Array.from({ length }, () => random.normal())
  const ours = startAdam(start)
  let [weights, first, second] = [start, new Float32Array(length), new Float32Array(length)]
  for (let step = 1; step <= 5; step++) {
    const gradient = Float32Array.from({ length }, () => random.normal())
    const rate = 0.1 / step
    const scalars = Object.entries(adamScalars(step, rate, options))
    const results = await session.run({
      ...Object.fromEntries(
        scalars.map(([name, value]) => [name, { shape: [], values: Float32Array.of(value) }]),
      ),
      ...Object.fromEntries(
        Object.entries({ weights, first, second, gradient }).map(([name, values]) => [
          name,
          { shape: [length], values },
        ]),
      ),
    })
    ;[weights, first, second] = [next.weights, next.first, next.second].map(
      ({ name }) => results[name] as Float32Array<ArrayBuffer>,
    ) as [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>]
    stepAdam(ours, gradient, { ...options, step, rate, decayMask })
  }
  await session.close()
  const gap = Math.max(...ours.weights.map((value, i) => Math.abs(value - (weights[i] as number))))
  expect(Math.max(...ours.weights.map((value, i) => Math.abs(value - (start[i] as number))))).toBeGreaterThan(
    0.1,
  )
  expect(gap).toBeLessThan(1e-5)
})
