/** Frozen snapshots and the parts of a window. */
export { freezeSnapshot, openSnapshot, type FrozenSnapshot } from './snapshot.fs.ts'
export { type Provenance, type SnapshotContent, type SnapshotSeries } from './snapshot.ts'
export { planWindow, splitTraining, type TimeRange, type TrainingSplit, type WindowPlan } from './split.ts'
