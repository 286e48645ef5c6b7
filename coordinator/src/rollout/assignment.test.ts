import { describe, expect, test } from 'vitest'
import type { DeploymentOutcome, Reported, ReportedModel } from '@imlma/protocol/wire'
import type { Assignment, AssignedVersion } from './assigned.ts'
import { decideAssignment, isSettled } from './assignment.ts'

const digest = (letter: string) => letter.repeat(64)
const versionOf = (version: number): AssignedVersion => ({
  version,
  envelopeSha256: digest('e').slice(1) + version,
  artifactSha256: digest('a').slice(1) + version,
})
const installed = (version: number) => ({
  version,
  release: version,
  sha256: versionOf(version).artifactSha256,
})

const told: Assignment = { counter: 5, issuedAt: 0, rootVersion: 1, models: { load: versionOf(2) } }
const options = { retryAfterMs: 600_000, repeatAfterMs: 2_000, refreshAfterMs: 604_800_000 }

const outcome = (
  version: number,
  state: DeploymentOutcome['state'],
  reason: DeploymentOutcome['reason'] = null,
): DeploymentOutcome => ({
  version,
  sha256: versionOf(version).artifactSha256,
  state,
  reason,
  detail: '',
  durationsMs: {},
  at: 0,
})

const reportedWith = (model: Partial<ReportedModel>, desiredCounter = 5): Reported => ({
  v: 1,
  bootId: 'b',
  agentVersion: '0',
  at: 0,
  desiredCounter,
  rootVersion: 1,
  backlog: { batches: 0, bytes: 0, readings: 0, dropped: 0, oldestAt: null },
  models: {
    load: {
      phase: 'idle',
      active: installed(2),
      previous: installed(1),
      challenger: null,
      pinned: false,
      releaseMax: 2,
      quarantined: [],
      outcome: outcome(2, 'committed'),
      ...model,
    },
  },
})

const decide = (reported: Reported | null, wanted = { load: versionOf(2) }, now = 10_000, rootVersion = 1) =>
  decideAssignment(told, wanted, { reported, rootVersion, now }, options)

describe('an assignment', () => {
  test('counts on above what the agent has accepted from somebody else, and takes the word back', () => {
    expect(decide(reportedWith({}, 1_000))).toMatchObject({ counter: 1_001, models: told.models })
    expect(decide(reportedWith({}, 1_000), { load: versionOf(3) })?.counter).toBe(1_001)
    expect(decide(reportedWith({}, 4), { load: versionOf(3) })?.counter).toBe(6)
    // Signed with a stolen key: only another director helps, whose counting goes on from ours; no loop until then.
    const most = Number.MAX_SAFE_INTEGER
    expect(decide(reportedWith({}, most), { load: versionOf(3) })?.counter).toBe(6)
    expect(decide(reportedWith({}, most))).toBeUndefined()
    expect(decide(reportedWith({}, most), undefined, 10_000, 2)?.counter).toBe(6)
  })

  test('is made for an agent that has none, also before it reported anything', () => {
    const first = decideAssignment(
      undefined,
      { load: versionOf(1) },
      { reported: null, rootVersion: 1, now: 7 },
    )
    expect(first).toEqual({ counter: 1, issuedAt: 7, rootVersion: 1, models: { load: versionOf(1) } })
  })

  test('is not made while there is no champion', () => {
    expect(decideAssignment(undefined, {}, { reported: null, rootVersion: 1, now: 7 })).toBeUndefined()
  })

  test('stands while the agent serves what it was told', () => {
    expect(decide(reportedWith({}))).toBeUndefined()
  })

  test('follows a new champion with a higher counter', () => {
    expect(decide(reportedWith({}), { load: versionOf(3) })).toMatchObject({
      counter: 6,
      models: { load: { version: 3 } },
    })
  })

  test('is told again with a new trust root', () => {
    expect(decide(reportedWith({}), undefined, 10_000, 2)).toMatchObject({ counter: 6, rootVersion: 2 })
  })

  test('does not push a new champion to a pinned agent', () => {
    const pinned = reportedWith({ pinned: true, active: installed(1) })
    expect(decide(pinned, { load: versionOf(3) })).toBeUndefined()
    expect(decide(pinned)).toBeUndefined()
  })

  test('is told again once a rolled-back agent is unpinned', () => {
    const unpinned = reportedWith({ active: installed(1) })
    expect(decide(unpinned)).toMatchObject({ counter: 6, models: { load: { version: 2 } } })
    expect(decide(unpinned, undefined, 1_000)).toBeUndefined()
    const refusedByPin = reportedWith({ active: installed(1), outcome: outcome(2, 'refused', 'PINNED') })
    expect(decide(refusedByPin)).toBeDefined()
  })

  test('is not told again while the agent is busy or has not read the last one', () => {
    expect(decide(reportedWith({ active: installed(1), phase: 'fetching' }))).toBeUndefined()
    expect(decide(reportedWith({ active: installed(1) }, 4))).toBeUndefined()
  })

  test('is not repeated for a version that proved bad', () => {
    const bad = reportedWith({ active: installed(1), outcome: outcome(2, 'rolled-back', 'GOLDEN_MISMATCH') })
    expect(decide(bad, undefined, 1e9 / 10)).toBeUndefined()
    const quarantined = reportedWith({ active: installed(1), quarantined: [versionOf(2).artifactSha256] })
    expect(decide(quarantined)).toBeUndefined()
  })

  test('is repeated later when the reason can pass', () => {
    const unlucky = reportedWith({ active: installed(1), outcome: outcome(2, 'refused', 'FETCH_FAILED') })
    expect(decide(unlucky, undefined, 599_999)).toBeUndefined()
    expect(decide(unlucky, undefined, 600_000)).toBeDefined()
  })

  test('is renewed before it expires', () => {
    expect(decide(reportedWith({}), undefined, 604_800_000)).toMatchObject({ counter: 6 })
  })
})

describe('an agent is settled', () => {
  test.each([
    ['serving it', {}, 5, true],
    ['having refused it', { active: installed(1), outcome: outcome(2, 'refused', 'BAD_DIGEST') }, 5, true],
    ['pinned', { active: installed(1), pinned: true, outcome: null }, 5, true],
    ['on its way', { phase: 'warming', active: installed(1), outcome: null }, 5, false],
    ['not having read it', {}, 4, false],
    [
      'with the outcome of another version',
      { active: installed(1), outcome: outcome(1, 'committed') },
      5,
      false,
    ],
  ] as const)('%s', (_, model, counter, settled) => {
    expect(isSettled(reportedWith(model as Partial<ReportedModel>, counter), told, 'load')).toBe(settled)
  })

  test('never before it reported', () => {
    expect(isSettled(null, told, 'load')).toBe(false)
  })
})
