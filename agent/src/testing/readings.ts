/** The store of readings without an agent around it, for benchmarks. */

export { createHistory } from '../history/history.sqlite.ts'
export { openReadingsDatabase } from '../outbox/database.sqlite.ts'
export { createOutbox } from '../outbox/outbox.sqlite.ts'
