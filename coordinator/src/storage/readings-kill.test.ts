import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { intervalMs, meters, valueAt } from './readings-kill.contract.ts'
import { createReadingsStore } from './readings.sqlite.ts'

const kills = 20

test(`${kills} kills at any moment lose nothing that was confirmed and count nothing twice`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'imlma-kill-'))
  const path = join(folder, 'readings.db')
  const confirmed: Record<string, number> = {}
  for (let kill = 0; kill < kills; kill++) {
    const child = fork(join(import.meta.dirname, 'readings-kill.contract.ts'), [path], { stdio: 'inherit' })
    // Killed after a number of confirmations, in the middle of whatever comes next.
    let rest = 1 + Math.floor(Math.random() * 40)
    child.on('message', ({ agent, acknowledged }: { agent: string; acknowledged: number }) => {
      confirmed[agent] = Math.max(confirmed[agent] ?? 0, acknowledged)
      rest -= 1
      if (rest === 0) setTimeout(() => child.kill('SIGKILL'), Math.random() * 5)
    })
    await once(child, 'exit')
  }

  const store = createReadingsStore(path)
  while (store.fold(100) > 0);
  for (const agent of ['gw-1', 'gw-2']) {
    const coverage = store.coverage().find((one) => one.agent === agent)!
    expect(coverage.acknowledged).toBeGreaterThanOrEqual(confirmed[agent] ?? 0)
    expect(coverage).toMatchObject({
      lost: 0,
      highest: coverage.acknowledged,
      batches: coverage.acknowledged,
    })
    const slots = 2 * coverage.acknowledged + 1
    expect(store.filled(agent, 'load', intervalMs)).toBe(meters * slots)
    for (let meter = 0; meter < meters; meter++) {
      const key = { site: agent, meter: `m-${meter}`, register: 'load', intervalMs }
      const { values } = store.read(key, 0, (slots + 1) * intervalMs)
      const expected = Array.from({ length: slots }, (_, slot) => valueAt(meter, slot))
      expect([...values]).toEqual([...expected, Number.NaN])
    }
  }
  expect(store.quarantined()).toEqual({})
  store.close()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)
