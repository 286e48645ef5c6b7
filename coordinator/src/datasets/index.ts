/** Readings selected for a training, frozen snapshots, and the parts of a window. */
export { freezeDataset, type DatasetParts, type FrozenDataset } from './freeze.fs.ts'
export {
  keepOut,
  qualityChecks,
  tallyOf,
  type FlagCounts,
  type QualityCheck,
  type QualityMask,
  type Tally,
} from './quality/checks.ts'
export { inspectSeries } from './quality/inspect.ts'
export { toQualityRecord, type QualityRecord } from './quality/record.ts'
export { qualityDefaults, toRules, type QualityRules, type QualitySettings } from './quality/rules.ts'
export { type SeriesQuality } from './candidate.ts'
export { selectReadings, type Selected, type Selection, type SelectionRefusal } from './select.ts'
export { freezeSnapshot, openSnapshot, type FrozenSnapshot } from './snapshot.fs.ts'
export { type Provenance, type SnapshotContent, type SnapshotSeries } from './snapshot.ts'
export { planWindow, splitTraining, type TimeRange, type TrainingSplit, type WindowPlan } from './split.ts'
