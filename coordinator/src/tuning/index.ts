/** Bayesian optimisation that stands on its own: a search space in, configurations to try out. */
export { objectionToConfiguration, objectionToSpace } from './encoding.ts'
export {
  createMedianRule,
  createSuccessiveHalving,
  type MedianRuleOptions,
  type Pruner,
  type PrunerAnswer,
  type PrunerReport,
  type SuccessiveHalvingOptions,
} from './pruner.ts'
export type { Choice, Condition, Configuration, Parameter, SearchSpace } from './space.ts'
export type { Outcome, PastTrial, StudyState, SurrogateMemory, Trial } from './study-state.ts'
export {
  createStudy,
  resumeStudy,
  type BestTrial,
  type Study,
  type StudyOptions,
  type TellRefusal,
} from './study.ts'
