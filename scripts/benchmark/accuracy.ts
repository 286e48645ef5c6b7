/**
 * How accurate is ridge on public data? Follows the protocols of the data folder's README, trains with the product's
 * own feature builder and learner, and judges the exported ONNX file. Candidates and λ are chosen on data before the
 * test part; the test part is looked at once.
 *
 *   node scripts/benchmark/accuracy.ts [--json]
 *
 * Reads IMLMA_DATA, or ../shared/data beside the project.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ettTasks } from './accuracy/ett.ts'
import { runTask, type TaskResult } from './accuracy/task.ts'
import { victoriaTasks } from './accuracy/victoria.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
})
const folder = process.env['IMLMA_DATA'] ?? join(import.meta.dirname, '../../../shared/data')

if (!existsSync(folder)) {
  console.error(`no data at ${folder}: set IMLMA_DATA to the folder with vic_electricity.csv and ETTh1.csv`)
  process.exit(2)
}

const results: TaskResult[] = []
for (const task of [...victoriaTasks(folder), ...ettTasks(folder)]) {
  if (!task.name.includes(values.only)) continue
  if (!values.json) console.error(`${task.name} …`)
  results.push(await runTask(task, (line) => values.json || console.error(`  ${line}`)))
}

if (values.json) console.log(JSON.stringify(results))
else {
  console.table(
    Object.fromEntries(
      results.map(({ name, metric, unit, value, bar, stretch, reference, held, chosen, seconds }) => [
        name,
        {
          metric: `${metric} ${unit}`,
          value: Number(value.toPrecision(5)),
          bar,
          stretch,
          held,
          reference,
          chosen,
          seconds,
        },
      ]),
    ),
  )
}
process.exitCode = results.every(({ held }) => held) ? 0 : 1
