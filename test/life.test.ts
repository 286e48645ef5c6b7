import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openReadingsReader } from '@imlma/coordinator/storage/readings'
import { createApi } from './house/api.http.ts'
import { championOf, readSummary, type Summary } from './house/last-line.ts'
import { createFolder, scripts, type Folder } from './house/places.fs.ts'
import { runProgram, type Program } from './house/program.process.ts'
import { until } from './house/until.timer.ts'

const feed = ['--meters', '6', '--agents', '2', '--volume', '1200']
const freePorts = ['port', 'mqtt-port', 'mqtts-port', 'gateway-port', 'agent-port'].flatMap((option) => [
  `--${option}`,
  '0',
])
const delays = [
  'detect',
  'queue',
  'train',
  'gate',
  'sign',
  'publish',
  'fetch',
  'verify',
  'swap',
  'probation',
] as const
const sha256 = /^[0-9a-f]{64}$/

let folder: Folder
let running: Program | undefined
beforeAll(async () => {
  folder = await createFolder('life')
})
afterEach(async () => {
  await running?.dispose()
})
afterAll(async () => {
  await folder.remove()
})

const start = (...more: readonly string[]): Program => {
  running = runProgram(scripts.start, [...feed, ...freePorts, ...more], folder.path)
  return running
}

/** The chain of events as it lies on disk, with nobody running. */
const verifyChain = async (dataDir: string): Promise<{ events: number; headHash: string }> => {
  const program = runProgram(scripts.imlma, ['audit', 'verify', '--json', '--data-dir', dataDir], folder.path)
  const chain = JSON.parse(await program.succeeds()) as { intact: boolean; events: number; headHash: string }
  expect(chain.intact).toBe(true)
  return chain
}

const expectRound = (round: Summary['rounds'][number]): void => {
  const { trigger, champion, challenger, verdict, updateDelayMs } = round
  expect(trigger.kind).toBe('volume')
  expect(Number(trigger.evidence['readingsSince'])).toBeGreaterThanOrEqual(1_200)
  expect(round.datasetSha256).toMatch(sha256)
  expect(round.rows).toBeGreaterThan(1_000)
  expect(round.learner).toBe('ridge')
  expect(round.hyperParameters).toMatchObject({ lambda: expect.any(Number) as number })

  expect(champion.rows).toBe(challenger.rows)
  expect(champion.rows).toBeGreaterThan(1_000)
  const isBetter =
    challenger.mse < champion.mse && challenger.mae < champion.mae && challenger.r2 > champion.r2
  // Better in all three is needed, and may still not be enough: it must also be proven.
  if (verdict === 'promote') expect(isBetter).toBe(true)
  expect(['promote', 'reject', 'inconclusive']).toContain(verdict)
  expect(round.reasons).not.toEqual([])

  expect(Object.keys(updateDelayMs)).toEqual(expect.arrayContaining([...delays]))
  const parts = delays.map((step) => updateDelayMs[step] ?? 0)
  expect(parts.every((part) => part >= 0 && part < 60_000)).toBe(true)
  for (const step of ['sign', 'publish', 'fetch', 'verify', 'swap'] as const) {
    expect([step, updateDelayMs[step] !== null]).toEqual([step, verdict === 'promote'])
  }
  // Nothing of the delay is unaccounted for, and nothing is counted twice.
  const sum = parts.reduce((a, b) => a + b, 0)
  expect(Math.abs(Number(updateDelayMs['total']) - sum)).toBeLessThan(5)
}

describe('the life of a model', () => {
  let first: Summary
  let chain: { events: number; headHash: string }
  const dataDir = () => `${folder.path}/house`

  test('goes from readings to a served version twice, and ends with what was decided and why', async () => {
    const house = start('--rounds', '1', '--data-dir', dataDir())
    first = readSummary(await house.succeeds())
    chain = await verifyChain(dataDir())

    expect(first.rounds.length).toBeGreaterThanOrEqual(2)
    expect(first.rounds.map(({ version }) => version)).toEqual(first.rounds.map((_, index) => index + 1))
    for (const round of first.rounds) expectRound(round)
    expect(first.rounds[0]).toMatchObject({
      verdict: 'promote',
      champion: { version: null, learner: 'seasonal-naive' },
    })
    expect(first.rounds[1]).toMatchObject({ champion: { version: 1, learner: 'ridge' } })
    expect(new Set(first.rounds.map(({ datasetSha256 }) => datasetSha256)).size).toBe(first.rounds.length)

    expect(first.agents.map(({ agent }) => agent)).toEqual(['gw-1', 'gw-2'])
    for (const { presence, models } of first.agents) {
      expect(presence).toBe('online')
      expect(models).toEqual([
        expect.objectContaining({ model: 'load', phase: 'idle', version: championOf(first) }),
      ])
    }
    // Facts go to standard output, progress to standard error.
    expect(house.out()).toMatch(/The page: http:\/\/127\.0\.0\.1:\d+/)
    expect(house.out()).toMatch(/The gate promotes load version 1/)
    expect(house.out()).toMatch(/gw-2 serves load version 1/)
    expect(house.err()).toMatch(/load: [\d,]+ of [\d,]+/)
  })

  test('goes on where it was when it is started again', async () => {
    const rounds = first.rounds.length
    const house = start('--rounds', String(rounds), '--data-dir', dataDir())
    const [, url = ''] = await house.says(/The page: (\S+)/)
    const api = createApi(url, dataDir())
    const versions = await until('one more version was decided', async () => {
      const known = await api.versions('load')
      return known.length > rounds && known.every(({ decision }) => decision !== null) && known
    })
    const events = await until('more has happened', async () => {
      const known = await api.audit()
      return known.length > chain.events && known
    })
    const again = readSummary(await house.succeeds())

    expect(again.rounds.slice(0, rounds)).toEqual(first.rounds)
    expect(again.rounds[rounds]?.version).toBe(rounds + 1)
    expect(again.agents.map(({ models }) => models[0]?.version)).toEqual([
      championOf(again),
      championOf(again),
    ])

    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(events[chain.events - 1]?.hash).toBe(chain.headHash)
    expect((await verifyChain(dataDir())).events).toBeGreaterThanOrEqual(events.length)

    // No contender was trained on anything that it is judged on.
    for (const { parent, dataset, decision } of versions) {
      const champion = versions.find(({ version }) => version === parent)
      const window = decision?.window ?? { start: 0, end: 0 }
      expect(window.start).toBeGreaterThanOrEqual(dataset.trainEnd)
      expect(window.start).toBeGreaterThanOrEqual(champion?.dataset.trainEnd ?? 0)
      expect(window.end).toBeGreaterThan(window.start)
    }
  })

  test('has every reading once, over both starts', () => {
    const reader = openReadingsReader(`${dataDir()}/readings.db`)
    try {
      const series = reader.series({})
      expect(series.map(({ meter }) => meter).toSorted()).toEqual(
        Array.from({ length: 6 }, (_, index) => `meter-00${index + 1}`),
      )
      const slots = series.map(({ firstAt, lastAt, intervalMs }) => (lastAt - firstAt) / intervalMs + 1)
      expect(series.map(({ filled }) => filled)).toEqual(slots)
      const [{ site, register, intervalMs } = { site: '', register: '', intervalMs: 0 }] = series
      expect(reader.filled(site, register, intervalMs)).toBe(slots.reduce((a, b) => a + b, 0))
      for (const { acknowledged, highest, batches, lost } of reader.coverage()) {
        expect({ acknowledged, batches, lost }).toEqual({ acknowledged: highest, batches: highest, lost: 0 })
      }
    } finally {
      reader.close()
    }
  })

  test('ends after the first version where no more is asked for', async () => {
    const house = start('--until', 'first-version', '--data-dir', `${folder.path}/short`)
    const summary = readSummary(await house.succeeds())
    expect(summary.rounds).toHaveLength(1)
    expect(summary.agents.map(({ models }) => models[0]?.version)).toEqual([1, 1])
  })
})
