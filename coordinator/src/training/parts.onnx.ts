/** What learners run on: ONNX Runtime, for matrix products and for graphs that train; TensorFlow.js for recurrent networks. */
import { createGraphSessions } from './engine/session.onnx.ts'
import type { LearnerParts } from './learner.ts'
import { createRecurrentEngine } from './recurrent/engine.tfjs.ts'
import { createMatrixProducts } from './products.onnx.ts'
import { createRecall } from './recall.ts'

export const createLearnerParts = async (): Promise<LearnerParts> => ({
  products: await createMatrixProducts(),
  sessions: createGraphSessions(),
  recurrent: createRecurrentEngine(),
  recall: createRecall(),
})
