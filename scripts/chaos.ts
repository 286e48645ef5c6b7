/**
 * Kills the parts of a whole site again and again, at random and at every step of the deployment machine, while disks fill,
 * clocks jump, lines break and last writes tear; then looks whether anything was lost (`test/chaos/`).
 *
 *   npm run chaos -- [--kills 100] [--seed N] [--json]
 *
 * What happens goes to standard error; with `--json` the last line of standard output is one JSON document. Ends with 1 when
 * a reading is lost or doubled, or an agent serves nothing verified or says what is not true. The seed gives the same plan.
 *
 * Small disks are mounted in a mount namespace of this run's own, so that nothing stays behind however it ends. Where that
 * is not allowed, a limit on the size of files stands in (`test/chaos/disk.process.ts`).
 */

import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runChaos } from '../test/chaos/run.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    json: { type: 'boolean', default: false },
  },
})
const inside = 'IMLMA_CHAOS_MAY_MOUNT'

/** How this user comes to a mount namespace: as root, or as the root of a user namespace; undefined where neither is allowed. */
const findNamespace = (): readonly string[] | undefined =>
  [['--mount'], ['--mount', '--user', '--map-root-user']].find((flags) => {
    const trial = ['mount', '-t', 'tmpfs', 'imlma-chaos', tmpdir()]
    return spawnSync('unshare', [...flags, ...trial], { stdio: 'ignore' }).status === 0
  })

const runInside = (flags: readonly string[]): void => {
  const child = spawn('unshare', [...flags, process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [inside]: '1' },
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal))
  child.once('exit', (code) => {
    process.exitCode = code ?? 1
  })
}

const run = async (mayMount: boolean): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-chaos-'))
  const [kills, seed] = [Number(values.kills), Number(values.seed)]
  const startedAt = performance.now()
  const tell = (line: string): void => {
    process.stderr.write(`${((performance.now() - startedAt) / 1_000).toFixed(1)} ${line}\n`)
  }
  tell(`seed ${seed}: the same plan again with --kills ${kills} --seed ${seed}`)
  const outcome = await runChaos({ kills, seed, folder, mayMount, tell })
  const { lost, doubled, unverified, readings } = outcome
  const isWell = lost === 0 && doubled === 0 && unverified === 0
  const found = `${lost} lost, ${doubled} doubled; ${unverified} agents serve nothing verified or say what is not true`
  console.log(
    values.json
      ? JSON.stringify(outcome)
      : `${outcome.kills} kills, ${readings} readings, ${found} (seed ${seed})`,
  )
  if (isWell) await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined)
  else tell(`logs: ${folder}`)
  process.exitCode = isWell ? 0 : 1
}

const namespace = process.env[inside] === undefined ? findNamespace() : undefined
if (namespace === undefined) await run(process.env[inside] !== undefined)
else runInside(namespace)
