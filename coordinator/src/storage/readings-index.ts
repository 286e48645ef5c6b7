/** The readings' store, for programs outside the coordinator's rooms. */

export type * from './readings.ts'
export { createReadingsStore, openReadingsReader, type ReadingsOptions } from './readings.sqlite.ts'
