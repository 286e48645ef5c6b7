import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createApi } from './house/api.http.ts'
import { readSummary } from './house/last-line.ts'
import { createFolder, dataFolder, scripts, type Folder } from './house/places.fs.ts'
import { runProgram, type Program } from './house/program.process.ts'

const hourMs = 3_600_000
const freePorts = ['port', 'mqtt-port', 'mqtts-port', 'gateway-port', 'agent-port'].flatMap((option) => [
  `--${option}`,
  '0',
])

let folder: Folder
let running: Program | undefined
beforeAll(async () => {
  folder = await createFolder('file')
})
afterEach(async () => {
  await running?.dispose()
})
afterAll(async () => {
  await folder.remove()
})

const start = (path: string, ...more: readonly string[]): Program => {
  running = runProgram(scripts.start, ['--data', path, ...freePorts, ...more], folder.path)
  return running
}

/** Two feeders over so many days, hourly: days, weeks and a little weather, the same on every machine. */
const linesOf = (days: number): string[] => {
  const lines = ['time,north_kWh,south_kWh']
  for (let hour = 0; hour < days * 24; hour += 1) {
    const weekend = Math.floor(hour / 24) % 7 >= 5 ? 0.7 : 1
    const weather = 3 * Math.sin(hour / 61) + 2 * Math.sin(hour / 23)
    const daily = 40 - 15 * Math.cos((2 * Math.PI * hour) / 24)
    const time = new Date(Date.UTC(2024, 4, 6) + hour * hourMs).toISOString()
    lines.push(
      `${time},${(weekend * daily + weather).toFixed(3)},${(weekend * daily * 0.6 - weather).toFixed(3)}`,
    )
  }
  return lines
}

const write = async (name: string, lines: readonly string[]): Promise<string> => {
  const path = `${folder.path}/${name}.csv`
  await writeFile(path, `${lines.join('\n')}\n`)
  return path
}

describe('npm start -- --data', () => {
  test('replays a file of three weeks until its first version serves', async () => {
    const house = start(await write('feeders', linesOf(22)), '--until', 'first-version')
    const [, url = '', dataDir = ''] = await house.says(/The page: (\S+) .*state: (\S+)/)
    await house.says(/Agent gw-2: /)
    expect(await createApi(url, dataDir).model('load')).toMatchObject({
      definition: { unit: 'kWh', intervalMs: hourMs, horizon: 24 },
    })
    const { rounds, agents } = readSummary(await house.succeeds())
    expect(house.out()).not.toMatch(/failed/)
    expect(rounds.at(-1)).toMatchObject({ verdict: 'promote', champion: { learner: 'seasonal-naive' } })
    // One agent for each series: a third would have nothing to do.
    expect(agents.map(({ agent }) => agent)).toEqual(['gw-1', 'gw-2'])
    for (const { models } of agents) expect(models[0]?.version).toBe(rounds.at(-1)?.version)
  })

  test('replays the load of Victoria', async (context) => {
    const path = fileURLToPath(new URL('vic_electricity.csv', dataFolder()))
    context.skip(!existsSync(path), `${path} is not there: set IMLMA_DATA to the folder of the public data`)
    const house = start(path, '--until', 'first-version')
    const { rounds, agents } = readSummary(await house.succeeds())
    expect(rounds.at(-1)).toMatchObject({ version: 1, verdict: 'promote' })
    expect(agents).toMatchObject([{ agent: 'gw-1', models: [{ model: 'load', version: 1 }] }])
  })

  describe('says what is wrong, where, and what to do:', () => {
    const expectRefusal = async (path: string, code: string, ...words: readonly RegExp[]): Promise<void> => {
      const house = start(path)
      expect(await house.ended).toEqual({ code: 1, signal: null })
      const [what = '', hint = ''] = house.err().split('\n')
      expect(what).toContain(`${code}: `)
      expect(what.split(path)).toHaveLength(2)
      for (const word of words) expect(house.err()).toMatch(word)
      expect(hint).toMatch(/^ {2}\w+/)
      expect(house.err()).not.toMatch(/\n\s+at /)
      expect(house.out()).toBe('')
    }

    test('a file that is not there', async () => {
      await expectRefusal(`${folder.path}/missing.csv`, 'FILE_UNREADABLE', /check the path/)
    })

    test('a folder', async () => {
      await expectRefusal(folder.path, 'FILE_UNREADABLE')
    })

    test('a number that is none, in line 301', async () => {
      const lines = linesOf(22)
      lines[300] = lines[300]?.replace(/,[^,]*$/, ',twelve') ?? ''
      await expectRefusal(await write('number', lines), 'BAD_NUMBER', /line 301\b/, /twelve/, /south_kWh/)
    })

    test('a number that is none, deep in the file', async () => {
      const lines = linesOf(120)
      lines[2_500] = lines[2_500]?.replace(/,[^,]*$/, ',twelve') ?? ''
      await expectRefusal(await write('deep', lines), 'BAD_NUMBER', /line 2501\b/, /twelve/, /south_kWh/)
    })

    test('a time that is none, in line 42', async () => {
      const lines = linesOf(22)
      lines[41] = lines[41]?.replace(/^[^,]*/, 'yesterday') ?? ''
      await expectRefusal(await write('time', lines), 'BAD_TIME', /line 42\b/, /yesterday/)
    })

    test('no column of times', async () => {
      const lines = linesOf(22).map((line) => line.split(',').slice(1).join(','))
      await expectRefusal(await write('timeless', lines), 'NO_TIME_COLUMN', /north_kWh, south_kWh/)
    })

    test('too few days to learn from', async () => {
      await expectRefusal(await write('short', linesOf(20)), 'FILE_TOO_SHORT', /20\.0 days/, /three weeks/)
    })

    test('nothing in it', async () => {
      await expectRefusal(await write('empty', []), 'EMPTY_FILE')
    })

    test('columns that the file does not have', async () => {
      const house = start(await write('named', linesOf(22)), '--columns', 'west_kWh')
      expect(await house.ended).toEqual({ code: 1, signal: null })
      expect(house.err()).toMatch(/NO_SUCH_COLUMN.*west_kWh\n.*north_kWh, south_kWh/)
    })
  })

  test('does not mix two feeds in one folder', async () => {
    const path = await write('other', linesOf(22))
    const house = start(path, '--data-dir', `${folder.path}/.imlma/feeders`)
    expect(await house.ended).toEqual({ code: 1, signal: null })
    expect(house.err()).toMatch(/^DATA_DIR_OF_ANOTHER_FEED: .*"feeders"\n {2}choose another --data-dir/)
  })
})
