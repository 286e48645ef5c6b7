import { afterAll, beforeAll, expect, test } from 'vitest'
import { machineSteps, planChaos } from './chaos/plan.ts'
import { createFolder, scripts, type Folder } from './house/places.fs.ts'
import { runProgram, type Program } from './house/program.process.ts'

const cast = { agents: ['gw-1', 'gw-2', 'gw-3'], centre: ['broker', 'control'] } as const
const seeds = [1, 2, 3, 20261123]

let folder: Folder
let running: Program | undefined
beforeAll(async () => {
  folder = await createFolder('chaos-test')
})
afterAll(async () => {
  await running?.dispose()
  await folder.remove()
})

test('a seed gives the same plan again, and another seed another one', () => {
  for (const seed of seeds) expect(planChaos(seed, 100, cast)).toEqual(planChaos(seed, 100, cast))
  expect(new Set(seeds.map((seed) => JSON.stringify(planChaos(seed, 100, cast)))).size).toBe(seeds.length)
})

test.each(seeds)(
  'a hundred kills come to everybody and to every step, and everything else goes wrong (seed %i)',
  (seed) => {
    const plan = planChaos(seed, 100, cast)
    const kills = plan.map((each) => {
      if (each.kind === 'kill at') return each.way === 'repair' ? 2 : 1
      return each.kind === 'kill' || each.kind === 'kill worker' ? 1 : 0
    })
    expect(kills.reduce<number>((sum, each) => sum + each, 0)).toBe(100)
    const victims = new Set(plan.flatMap((each) => (each.kind === 'kill' ? [each.victim] : [])))
    expect([...victims].toSorted()).toEqual([...cast.centre, ...cast.agents].toSorted())
    const steps = new Set(
      plan.flatMap((each) => (each.kind === 'kill at' ? [`${each.way} ${each.trap.phase}`] : [])),
    )
    expect([...steps].toSorted()).toEqual(machineSteps.map((step) => step.join(' ')).toSorted())
    expect(new Set(plan.map(({ kind }) => kind))).toEqual(
      new Set(['kill', 'kill worker', 'kill at', 'clock', 'cut', 'fill']),
    )
  },
)

test('after kills, torn writes, full disks, wrong clocks and broken lines nothing is lost and all that is said is true', async () => {
  const [seed, kills] = [Date.now() % 1_000_000, 8]
  running = runProgram(
    scripts.chaos,
    ['--kills', String(kills), '--seed', String(seed), '--json'],
    folder.path,
  )
  const { code } = await running.ended
  const lines = running.out().trim().split('\n')
  const outcome = JSON.parse(lines.at(-1) ?? '') as { kills: number; readings: number }
  console.log(`repeat with: npm run chaos -- --kills ${kills} --seed ${seed}`)
  // What happened, for whoever has to find out why.
  if (code !== 0) console.log(running.err())
  expect(outcome).toEqual({ ...outcome, lost: 0, doubled: 0, unverified: 0, seed })
  expect(outcome.kills).toBeGreaterThanOrEqual(kills - 1)
  expect(outcome.readings).toBeGreaterThan(8_000)
  expect(code).toBe(0)
})
