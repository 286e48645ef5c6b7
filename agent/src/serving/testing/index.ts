/** Small models and contracts that fit them, for tests and benchmarks. */
export { tinyContract } from './tiny-contract.ts'
export { encodeTinyModel, layersOf, type Dense, type TinyModel } from './tiny-model.ts'
