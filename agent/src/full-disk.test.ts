/** A real agent on a small file system of its own (tmpfs) without a free byte, which gets its space back while it runs. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'

const launcher = fileURLToPath(new URL('../bin/imlma-agent.mjs', import.meta.url))
const mayMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'imlma', tmpdir()]).status === 0
const missing = 'no private mount namespace here (unshare -rm): allow user namespaces, or run as root'

/** Makes a store and stops; `$3` changes it; then the disk is full. Each line on standard input is the next step. */
const steps = `
mount -t tmpfs -o size=3m imlma "$1" || exit 9
agent() { "$NODE" "$LAUNCHER" --name gw --site s --port 0 --broker mqtt://127.0.0.1:1 --data-dir "$DIR/data" --config "$2" & pid=$!; }
DIR="$1"; agent "$1" "$2"; read -r step; kill -TERM $pid; wait $pid
eval "$3"
dd if=/dev/zero of="$DIR/filler" bs=4k 2>/dev/null
agent "$1" "$2"; read -r step; rm "$DIR/filler"; read -r step; kill -TERM $pid; wait $pid
`

const cases = [
  { name: 'whose store is there', change: ':', atStart: false },
  { name: 'whose store is not there yet', change: 'rm "$DIR/data/readings.db"', atStart: true },
  {
    name: 'whose store is broken',
    change: 'printf broken | dd of="$DIR/data/readings.db" conv=notrunc 2>/dev/null',
    atStart: true,
    told: 'STORE_CORRUPT',
  },
]

test.for(cases)(
  'an agent $name serves on a full disk, and stores when it is not',
  { timeout: 40_000 },
  async ({ change, atStart, told }, context) => {
    context.skip(!mayMount, missing)
    const folder = mkdtempSync(join(tmpdir(), 'imlma-full-'))
    const config = join(tmpdir(), `${folder.split('/').at(-1)}.json`)
    const feed = { kind: 'simulated', name: 'feed', meters: 5, speed: 9_000, historyDays: 1 }
    writeFileSync(config, JSON.stringify({ sources: [feed] }))
    const shell = spawn('unshare', ['-rm', 'sh', '-c', steps, 'sh', folder, config, change], {
      env: { ...process.env, NODE: process.execPath, LAUNCHER: launcher },
    })
    const closed = once(shell, 'close')
    try {
      let out = ''
      let log = ''
      shell.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
      shell.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
      const up = async (count: number): Promise<string> => {
        const urls = () => [...out.matchAll(/"api":"([^"]+)"/g)].map(([, url]) => url as string)
        await vi
          .waitUntil(() => urls().length === count, { timeout: 9_000, interval: 20 })
          .catch(() => {
            throw new Error(`not up:\n${log}`)
          })
        return urls()[count - 1] as string
      }
      const post = async (url: string, start: number) => {
        const readings = { meter: 'm', register: 'active-import', interval: 900_000, start, values: [1] }
        const body = JSON.stringify(readings)
        const headers = { 'content-type': 'application/json' }
        const answer = await fetch(`${url}/readings`, { method: 'POST', body, headers })
        return { status: answer.status, text: await answer.text() }
      }
      const backlog = async (url: string): Promise<number> =>
        ((await (await fetch(`${url}/status`)).json()) as { backlog: { readings: number } }).backlog.readings
      const first = await up(1)
      await vi.waitUntil(async () => (await backlog(first)) > 0, { timeout: 9_000, interval: 50 })
      shell.stdin.write('full\n')

      const url = await up(2)
      const before = await backlog(url)
      expect(before > 0).toBe(!atStart)
      expect(await post(url, 1_700_000_100_000)).toMatchObject({
        status: 503,
        text: expect.stringContaining('NO_SPACE') as string,
      })
      expect((await fetch(`${url}/v2/health/live`)).status).toBe(200)
      await vi.waitUntil(() => /"code":"NO_SPACE"/.test(log), { timeout: 9_000, interval: 50 })
      expect(await backlog(url)).toBe(before)

      shell.stdin.write('free\n')
      await vi.waitUntil(async () => (await post(url, 1_700_000_100_000)).status < 300, {
        timeout: 12_000,
        interval: 100,
      })
      await vi.waitUntil(async () => (await backlog(url)) > before + 5, { timeout: 9_000, interval: 50 })
      const alarms = log.split('\n').filter((line) => /"msg":"alarm"/.test(line) && /NO_SPACE/.test(line))
      expect(alarms).toHaveLength(1)
      expect(log).toContain(told ?? 'NO_SPACE')
      shell.stdin.write('stop\n')
      expect((await closed)[0]).toBe(0)
    } finally {
      shell.stdin.end()
      await closed
      rmSync(folder, { recursive: true })
      rmSync(config)
    }
  },
)
