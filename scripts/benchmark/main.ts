/**
 * `npm run bench -- NAME …`: runs the benchmark of that name in this folder; without a name it lists them.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const [wanted, ...args] = process.argv.slice(2)
const names = readdirSync(import.meta.dirname)
  .filter((file) => /^[^.]+\.ts$/.test(file) && file !== 'main.ts')
  .map((file) => file.slice(0, -'.ts'.length))

if (wanted === undefined || !names.includes(wanted)) {
  console.error(`usage: npm run bench -- NAME [options]\nbenchmarks: ${names.join(', ')}`)
  process.exitCode = 2
} else {
  // A process of its own: a benchmark measures itself, not what another one left in memory.
  const file = join(import.meta.dirname, `${wanted}.ts`)
  process.exitCode = spawnSync(process.execPath, [file, ...args], { stdio: 'inherit' }).status ?? 1
}
