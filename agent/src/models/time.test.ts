import { afterEach, beforeEach, expect, test } from 'vitest'
import { createClock, type ProvenClock } from '../clock/clock.ts'
import { nothingProven, type ProvenTime } from '../clock/proven-time.ts'
import { model, newKey, newKeys, sealCommand, sealDesired, sealRoot } from './testing/gateway.fs.ts'
import { createStory, keys, version, type Story } from './testing/story.contract.ts'

const day = 86_400_000
const year = 365 * day
const now = Date.UTC(2027, 5, 1)

let story: Story
let machine: { system: number; running: number }
beforeEach(async () => {
  story = await createStory()
  machine = { system: now, running: 0 }
})
afterEach(() => story.end())

const newClock = (stored: ProvenTime = nothingProven): ProvenClock =>
  createClock({ now: () => machine.system, monotonicMs: () => machine.running }, stored)
const times = (issuedAt: number) => ({ issuedAt, expiresAt: issuedAt + 30 * day })
const assign = (counter: number, n: number, issuedAt = now) =>
  sealDesired(keys.director, counter, { [model]: version(n).envelope }, times(issuedAt))
const rollback = (counter: number) =>
  sealCommand(keys.technician, {
    operation: 'rollback',
    target: 'previous',
    counter,
    notBefore: now - 1,
    expiresAt: now + 1,
  })

test.each([
  ['a year back', -year],
  ['a year ahead', year],
])(
  'with a clock %s a gateway serves on, installs nothing, says so once, rolls back, and heals',
  async (_name, step) => {
    const clock = newClock()
    const gateway = await story.boot({ clock })
    await gateway.models.desired(assign(1, 1))
    await gateway.idle()
    await gateway.models.desired(assign(2, 2))
    await gateway.idle()
    expect(await gateway.answers()).toBe(2)

    machine.system += step
    for (let connect = 0; connect < 3; connect += 1) await gateway.models.desired(assign(3, 3, now))
    await gateway.idle()
    expect(await gateway.answers()).toBe(2)
    // The document, and the version that it names.
    expect(gateway.codes()).toEqual(['EXPIRED', 'EXPIRED'])
    await gateway.models.command(rollback(1))
    await gateway.idle()
    expect(await gateway.answers()).toBe(1)

    machine.system -= step
    await gateway.models.command(sealCommand(keys.technician, { operation: 'unpin', counter: 2 }))
    await gateway.models.desired(assign(3, 3, now))
    await gateway.idle()
    expect(await gateway.answers()).toBe(3)
  },
)

test('an old assignment that is played again after a restart with the clock of its day is refused', async () => {
  const clock = newClock()
  const before = await story.boot({ clock })
  await before.models.desired(assign(1, 1, now - 20 * day))
  await before.idle()
  await before.models.desired(assign(2, 2))
  await before.idle()
  await story.off(before)
  machine.system = now - 20 * day
  machine.running = 0
  const after = await story.boot({ clock: newClock(clock.proven()) })
  await after.models.desired(assign(1, 1, now - 20 * day))
  // Never seen here, kept back by somebody, and valid if the clock were right.
  await after.models.desired(assign(9, 1, now - 20 * day))
  await after.idle()
  expect(await after.answers()).toBe(2)
  expect(after.codes()).toContain('EXPIRED')
})

test('a director’s stolen key that has used up the counters is overcome by a root with another director', async () => {
  const gateway = await story.boot({ clock: newClock() })
  await gateway.models.desired(assign(1, 1))
  await gateway.idle()
  await gateway.models.desired(assign(Number.MAX_SAFE_INTEGER, 2))
  await gateway.idle()
  expect(gateway.models.reportedModels().desiredCounter).toBe(Number.MAX_SAFE_INTEGER)
  // And a date far away, against which every true clock looks set back.
  await gateway.models.desired(assign(Number.MAX_SAFE_INTEGER, 2, now + 50 * year))
  await gateway.idle()
  await gateway.models.desired(assign(7, 3))
  await gateway.idle()
  expect(gateway.state()?.active?.version).not.toBe(3)

  const rotated = { ...keys, director: newKey() }
  const roots = [sealRoot(rotated, 2, [keys.root.signer])]
  const told = { ...times(now), roots }
  await gateway.models.desired(sealDesired(rotated.director, 8, { [model]: version(3).envelope }, told))
  await gateway.idle()
  expect(await gateway.answers()).toBe(3)
  expect(gateway.models.reportedModels()).toMatchObject({ desiredCounter: 8, rootVersion: 2 })
  // The old key says nothing any more, and the new one counts on from here.
  await gateway.models.desired(assign(Number.MAX_SAFE_INTEGER, 1))
  await gateway.models.desired(sealDesired(rotated.director, 7, { [model]: version(1).envelope }, told))
  await gateway.idle()
  expect(await gateway.answers()).toBe(3)
  expect(gateway.codes()).toEqual(expect.arrayContaining(['UNKNOWN_KEY', 'REPLAYED']))
})

test('a new root with the same director does not let old assignments in again', async () => {
  const gateway = await story.boot({ clock: newClock() })
  await gateway.models.desired(assign(5, 1))
  await gateway.idle()
  const roots = [sealRoot({ ...keys, technician: newKeys().technician }, 2, [keys.root.signer])]
  await gateway.models.desired(
    sealDesired(keys.director, 4, { [model]: version(2).envelope }, { ...times(now), roots }),
  )
  await gateway.idle()
  expect(await gateway.answers()).toBe(1)
  expect(gateway.codes()).toContain('REPLAYED')
})

test('a technician’s command proves the time of a gateway that has heard nobody else', async () => {
  const clock = newClock()
  const gateway = await story.boot({ clock })
  expect(clock.verdict()).toBe('ahead')
  await gateway.models.command(rollback(1))
  expect(clock.verdict()).toBe('trusted')
})
