/** A real agent process and the control centre it needs, for tests and benchmarks. */
export { startControlCentre, type ControlCentre } from './control-centre.aedes.ts'
export { spawnAgent, type SpawnedAgent } from './spawn-agent.child.ts'
