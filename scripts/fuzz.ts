/**
 * Feeds mutated and made-up inputs to every parser that meets bytes from outside (`test/fuzz/parsers.ts`).
 *
 *   npm run fuzz -- [--inputs 1000000] [--seed N] [--only WORD]
 *
 * What was found goes to standard error; the last line of standard output is one JSON document. Ends with 1 when an
 * input crashed a parser or was accepted wrongly. The same seed gives the same inputs.
 */

import { parseArgs } from 'node:util'
import { createParsers } from '../test/fuzz/parsers.ts'
import { fuzz } from '../test/fuzz/run.ts'

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    only: { type: 'string', default: '' },
  },
})
const seed = Number(values.seed)
const startedAt = performance.now()
const { parsers, close } = await createParsers()
const chosen = parsers.filter(({ name }) => name.includes(values.only))
const outcome = await fuzz(chosen, { inputs: Number(values.inputs), seed })
await close()

for (const finding of outcome.findings) console.error(JSON.stringify(finding))
for (const [name, count] of Object.entries(outcome.acceptedBy)) console.error(`${count}\taccepted by ${name}`)
const countOf = (kind: string): number => outcome.findings.filter((finding) => finding.kind === kind).length
const result = {
  inputs: outcome.inputs,
  parsers: chosen.length,
  accepted: outcome.accepted,
  crashed: countOf('crashed'),
  'accepted wrongly': countOf('accepted wrongly'),
  slow: countOf('slow'),
  seconds: Math.round((performance.now() - startedAt) / 1_000),
  seed,
}
console.log(JSON.stringify(result))
process.exitCode = outcome.findings.length === 0 ? 0 : 1
