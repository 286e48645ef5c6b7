/**
 * `npm test`: every check and every test, one section after the other; a failed section does not stop the next. The last
 * line is plain: `N passed, N failed`, followed by `, N skipped` where tests were skipped. With `CI=true` a skip is a failure.
 *
 *   npm test -- --only lint,unit      some sections
 *   npm test -- --only unit outbox    the tests whose path holds a word
 *   npm test -- --only format --fix   repair instead of only checking
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { parseArgs } from 'node:util'
import { sections, type Section } from './check/sections.ts'
import {
  addTallies,
  emptyTally,
  lineOf,
  tallyOfCheck,
  tallyOfTests,
  withNothingFailed,
  withSkipsFailed,
  type Tally,
} from './check/tally.ts'

const root = join(import.meta.dirname, '..')
const bin = join(root, 'node_modules', '.bin')
const inCi = process.env.CI === 'true'
const usage = `usage: npm test -- [--only SECTION,…] [--fix] [words in test paths …]
sections: ${sections.map(({ name }) => name).join(', ')}`

let running: ChildProcess | undefined
let interruptedBy: NodeJS.Signals | undefined

const run = (command: readonly string[], timeoutMs: number, tallyFile: string): Promise<number> =>
  new Promise((resolve) => {
    const [tool = '', ...args] = command
    // The pinned Node comes first, so that whatever a tool or a test starts as `node` is the same one.
    const env = {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
      IMLMA_TALLY: tallyFile,
    }
    running = spawn(join(bin, tool), args, { cwd: root, env, stdio: 'inherit', timeout: timeoutMs })
    running.once('error', () => resolve(1))
    running.once('exit', (code, signal) => {
      if (signal !== null && interruptedBy === undefined)
        console.log(`${tool} was ended by ${signal} (limit: ${timeoutMs / 1000} s)`)
      resolve(code ?? 1)
    })
  })

const readTally = (file: string): Tally | undefined =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Tally) : undefined

const runSection = async (section: Section, fix: boolean, words: readonly string[]): Promise<Tally> => {
  const folder = mkdtempSync(join(tmpdir(), 'imlma-check-'))
  const tallyFile = join(folder, 'tally.json')
  const command = fix && section.repair !== undefined ? section.repair : section.command
  const startedAt = performance.now()
  console.log(`\n── ${section.name} ── ${command.slice(0, 4).join(' ')}`)
  const exitCode = await run(
    section.hasTests ? [...command, ...words] : command,
    section.timeoutMs,
    tallyFile,
  )
  const tally = section.hasTests
    ? tallyOfTests(section.name, exitCode, readTally(tallyFile))
    : tallyOfCheck(section.name, exitCode)
  rmSync(folder, { recursive: true, force: true })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`${tally.failed.length === 0 ? '✓' : '✗'} ${section.name}: ${lineOf(tally)} (${seconds} s)`)
  return tally
}

const parse = () => {
  try {
    const options = { only: { type: 'string' }, fix: { type: 'boolean' } } as const
    return parseArgs({ args: process.argv.slice(2), options, allowPositionals: true })
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    process.exit(2)
  }
}

const choose = (only: string | undefined): readonly Section[] => {
  const names = only?.split(',') ?? sections.map(({ name }) => name)
  const unknown = names.filter((name) => !sections.some((section) => section.name === name))
  if (unknown.length > 0) {
    console.error(`no section named ${unknown.join(', ')}\n${usage}`)
    process.exit(2)
  }
  return sections.filter(
    ({ name, needs }) => names.includes(name) && (needs === undefined || existsSync(join(root, needs))),
  )
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    interruptedBy = signal
    running?.kill(signal)
  })

const { values, positionals } = parse()
const chosen = choose(values.only)
if (positionals.length > 0 && !chosen.some(({ hasTests }) => hasTests)) {
  console.error(`words choose tests, and ${values.only} has none\n${usage}`)
  process.exit(2)
}
let [checks, tests] = [emptyTally, emptyTally]
for (const section of chosen) {
  if (interruptedBy !== undefined) break
  const tally = await runSection(section, values.fix ?? false, positionals)
  if (section.hasTests) tests = addTallies(tests, tally)
  else checks = addTallies(checks, tally)
}
if (interruptedBy === undefined && chosen.some(({ hasTests }) => hasTests))
  tests = withNothingFailed(tests, positionals)
let tally = addTallies(checks, tests)
if (inCi) tally = withSkipsFailed(tally)
if (interruptedBy !== undefined) tally = { ...tally, failed: [...tally.failed, `ended by ${interruptedBy}`] }

for (const { name, reason } of tally.skipped) console.log(`skipped: ${name}\n         ${reason}`)
for (const name of tally.failed) console.log(`failed:  ${name}`)
console.log(`\n${lineOf(tally)}`)
process.exitCode = tally.failed.length === 0 ? 0 : 1
