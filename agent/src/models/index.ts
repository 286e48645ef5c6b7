/** What `main.ts` and the other rooms take from this one. */

export type { Clock } from './admission.ts'
export type { Raised } from './machine-room.ts'
export {
  startModels,
  type Models,
  type ModelsOptions,
  type ModelsParts,
  type ReportedModels,
} from './models.ts'
export { openRoots } from './roots.fs.ts'
export type { Serving, Session, SessionIdentity, SessionRun } from './serving.ts'
export { openState } from './state.lowdb.ts'
export { openStore, type StoreOptions } from './store.fs.ts'
export { createTransfer, type TransferOptions } from './transfer.ts'
export { wait } from './wait.timer.ts'
