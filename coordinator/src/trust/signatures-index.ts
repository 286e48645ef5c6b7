/** How batches are verified, for programs outside the coordinator's rooms. */

export type { AgentKeys } from './agent-keys.fs.ts'
export { createBatchSignatures } from './batch-signatures.crypto.ts'
