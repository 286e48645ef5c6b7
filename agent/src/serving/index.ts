/** Serving, for benchmarks that hold it against a bare runtime. */
export { createActiveModels, type ActiveModels } from './active-models.ts'
export { createBatcher } from './batcher.ts'
export { loadModel } from './session.onnx.ts'
export { createWorkers } from './worker/workers.process.ts'
