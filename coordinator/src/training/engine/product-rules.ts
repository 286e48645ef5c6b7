/** Gradients of matrix products. */
import { gemm, matrixProduct } from '../operators.ts'
import { transposeMatrix } from './layout-operators.ts'
import { sumToShape } from './reductions.ts'
import { attributeOf, ruleOf, type GradientRule } from './rule.ts'

export const productRules: Readonly<Record<string, GradientRule>> = {
  /** Y = A·B + C; every transposition is left to Gemm, which does it while it reads. */
  Gemm: ruleOf(({ graph, node, a, b, gradient }) => {
    const [transposeA, transposeB] = [attributeOf(node, 'transA') === 1, attributeOf(node, 'transB') === 1]
    const bias = node.inputs[2]
    return [
      () =>
        transposeA
          ? gemm(graph, [b, gradient], { transposeA: transposeB, transposeB: true })
          : gemm(graph, [gradient, b], { transposeB: !transposeB }),
      () =>
        transposeB
          ? gemm(graph, [gradient, a], { transposeA: true, transposeB: transposeA })
          : gemm(graph, [a, gradient], { transposeA: !transposeA }),
      () => sumToShape(graph, gradient, bias?.shape ?? gradient.shape),
    ]
  }),
  MatMul: ruleOf(({ graph, a, b, gradient }) =>
    a.shape.length === 2 && b.shape.length === 2
      ? [
          () => gemm(graph, [gradient, b], { transposeB: true }),
          () => gemm(graph, [a, gradient], { transposeA: true }),
        ]
      : [
          () => sumToShape(graph, matrixProduct(graph, gradient, transposeMatrix(graph, b)), a.shape),
          () => sumToShape(graph, matrixProduct(graph, transposeMatrix(graph, a), gradient), b.shape),
        ],
  ),
}
