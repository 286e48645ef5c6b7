/** What a program that takes readings in is put together from. */

export { startEmbeddedIngest, type EmbeddedIngest } from './embedded.aedes.ts'
export type { Ingest, IngestCounters, IngestOptions } from './ingest.ts'
export { createIngest } from './ingest.timer.ts'
export { subscribeIngest } from './subscribe.ts'
