import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import fc from 'fast-check'
import type { TrustRoot } from '@imlma/protocol/trust'
import { openClockFile } from './clock.fs.ts'
import { createClock } from './clock.ts'
import { keepClock } from './keeper.timer.ts'
import { floorOf, judgeClock, clockDefaults, nothingProven, prove, type ProvenTime } from './proven-time.ts'

const hour = 3_600_000
const day = 24 * hour
const year = 365 * day
const signedAt = Date.UTC(2027, 5, 1)
const director = 'd'.repeat(64)
const nextDirector = 'e'.repeat(64)
const technician = 'a'.repeat(64)

/** A machine whose system clock and running time are moved by hand. */
const createMachine = (systemNow = signedAt) => {
  const machine = { system: systemNow, running: 0 }
  const boot = (stored: ProvenTime = nothingProven) =>
    createClock({ now: () => machine.system, monotonicMs: () => machine.running }, stored)
  const run = (ms: number): void => {
    machine.system += ms
    machine.running += ms
  }
  return { machine, boot, run }
}
const rootWith = (directors: readonly string[], technicians: readonly string[] = [technician]) => {
  const role = (keyids: readonly string[]) => ({ keyids: [...keyids], threshold: 1 })
  const roles = { director: role(directors), technician: role(technicians) }
  return { roles } as unknown as TrustRoot
}

describe('a clock', () => {
  test('is believed at the time of what was signed, and while it runs on', () => {
    const { boot, run } = createMachine()
    const clock = boot()
    clock.prove('director', [director], signedAt)
    expect(clock.verdict()).toBe('trusted')
    run(year)
    expect(clock.verdict()).toBe('trusted')
  })

  test.each([
    ['a year back', -year, 'behind'],
    ['a day back', -day, 'behind'],
    ['at the difference between two machines', -hour, 'trusted'],
    ['a month ahead: the power was off', 30 * day, 'trusted'],
    ['a year ahead', year, 'ahead'],
  ])('%s', (_name, step, verdict) => {
    const { machine, boot } = createMachine()
    const clock = boot()
    clock.prove('director', [director], signedAt)
    machine.system += step
    expect(clock.verdict()).toBe(verdict)
    machine.system -= step
    expect(clock.verdict()).toBe('trusted')
  })

  test('that was never set is not believed, whatever was proven', () => {
    const { boot } = createMachine(0)
    expect(boot().verdict()).toBe('behind')
  })

  test('a year ahead for a while leaves no trace', () => {
    const { machine, boot, run } = createMachine()
    const clock = boot()
    clock.prove('director', [director], signedAt)
    machine.system += year
    run(day)
    expect(clock.verdict()).toBe('ahead')
    machine.system -= year
    const again = boot(clock.proven())
    expect([clock.verdict(), again.verdict()]).toEqual(['trusted', 'trusted'])
  })

  test('after a restart with a wrong clock it is known to be wrong', () => {
    const { machine, boot, run } = createMachine()
    const clock = boot()
    clock.prove('director', [director], signedAt)
    run(10 * day)
    const stored = clock.proven()
    machine.running = 0 // another boot counts anew
    machine.system = signedAt + 5 * day
    expect(boot(stored).verdict()).toBe('behind')
    machine.system = signedAt + year
    const ahead = boot(stored)
    expect(ahead.verdict()).toBe('ahead')
    // A year in a warehouse is no attack: the next assignment says so.
    ahead.prove('director', [director], signedAt + year - day)
    expect(ahead.verdict()).toBe('trusted')
  })

  test('an old message that is played again proves nothing new', () => {
    const { machine, boot } = createMachine()
    const clock = boot()
    clock.prove('director', [director], signedAt)
    machine.system -= year
    clock.prove('director', [director], signedAt - year)
    expect(clock.verdict()).toBe('behind')
  })

  test('a technician’s laptop set to another year stops nothing', () => {
    const { machine, boot } = createMachine()
    const clock = boot()
    clock.prove('technician', [technician], signedAt + year)
    expect(clock.verdict()).toBe('trusted')
    machine.system += 20 * day
    expect(clock.verdict()).toBe('trusted')
  })

  test('a date far away that a stolen key signed is forgotten with the key', () => {
    const { boot } = createMachine()
    const clock = boot()
    clock.prove('director', [director], signedAt + 50 * year)
    expect(clock.verdict()).toBe('behind')
    clock.follow(rootWith([nextDirector]))
    clock.prove('director', [nextDirector], signedAt)
    expect(clock.verdict()).toBe('trusted')
  })

  test('the word of a key that stays is not lost with a new root', () => {
    const { machine, boot } = createMachine()
    const clock = boot()
    clock.prove('director', [director], signedAt)
    clock.follow(rootWith([director, nextDirector]))
    machine.system -= year
    expect(clock.verdict()).toBe('behind')
  })

  test('the floor never goes back, whatever is proven in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(80), fc.nat(4e12))), (messages) => {
        let proven = nothingProven
        for (const [key, at] of messages) {
          const next = prove(proven, [key.toString(16).padStart(64, '0')], at)
          expect(floorOf(next, clockDefaults)).toBeGreaterThanOrEqual(floorOf(proven, clockDefaults))
          expect(Object.keys(next.floors).length).toBeLessThanOrEqual(64)
          proven = next
        }
        const latest = Math.max(0, ...messages.map(([, at]) => at))
        expect(floorOf(proven, { earliestMs: 0 })).toBe(latest)
        expect(judgeClock(proven, floorOf(proven, clockDefaults), clockDefaults)).toBe('trusted')
      }),
      { seed: 20261123 },
    )
  })
})

describe('the proven time on disk', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-clock-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('comes back after a restart, and nothing of a broken file', async () => {
    const path = join(folder, 'deep', 'clock.json')
    const file = await openClockFile(path)
    expect(await file.read()).toEqual(nothingProven)
    await file.write(prove(nothingProven, [director], signedAt))
    expect(await (await openClockFile(path)).read()).toEqual({ v: 1, floors: { [director]: signedAt } })
    await writeFile(path, '{"v":1,"floors":{"__proto__":1}}')
    expect(await file.read()).toEqual(nothingProven)
  })

  test('is written seldom, at the first proof and at the end; each turn is said once', async () => {
    const path = join(folder, 'clock.json')
    const file = await openClockFile(path)
    const { machine, boot, run } = createMachine()
    const clock = boot()
    const said: string[] = []
    let writes = 0
    const counting = {
      write: (proven: ProvenTime) => {
        writes += 1
        return file.write(proven)
      },
    }
    const keeper = keepClock(
      {
        clock,
        file: counting,
        onVerdict: (verdict) => said.push(verdict),
        onFailure: (cause) => said.push(String(cause)),
      },
      { lookMs: 2 ** 30, looksPerWrite: 10 },
    )
    machine.system += year
    await keeper.look()
    expect([said, writes]).toEqual([[], 0])
    machine.system -= year
    clock.prove('director', [director], signedAt)
    await keeper.look()
    expect(writes).toBe(1)
    machine.system -= year
    for (let look = 0; look < 5; look += 1) await keeper.look()
    machine.system += year
    for (let look = 0; look < 5; look += 1) await keeper.look()
    expect([said, writes]).toEqual([['behind', 'trusted'], 2])
    run(day)
    await keeper.stop()
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ v: 1, floors: { [director]: signedAt + day } })
  })
})
