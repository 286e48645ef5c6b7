import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { triggerSchema, type Trigger } from '../registry/events.ts'
import { newTriggerState, type TriggerOptions, type TriggerState } from './trigger-state.ts'
import { decideTrigger, startedBy, type TriggerDecision } from './trigger.ts'

const hour = 3_600_000
const options: TriggerOptions = { volume: 1_000, intervalMs: 24 * hour, readingsMin: 500, coolDownMs: hour }
/** Trained at 100 h on 5,000 readings. */
const start = 100 * hour
const trained: TriggerState = {
  lastTrainedAt: start,
  filledAtLastTraining: 5_000,
  dueAt: start + 24 * hour,
  coolDownUntil: start + hour,
  manual: null,
  drift: null,
}
const wish = { at: start + 2 * hour, reason: 'new meters' }
const told = (decision: TriggerDecision) => (decision.fire ? decision.trigger.kind : decision.reason)

describe('a trigger', () => {
  test.each([
    ['below both', {}, { after: 2, filled: 5_999 }, 'BELOW_THRESHOLD'],
    ['enough readings', {}, { after: 2, filled: 6_000 }, 'volume'],
    ['interval over with one new reading', {}, { after: 24, filled: 5_001 }, 'interval'],
    ['a moment before the interval is over', {}, { after: 24 - 1e-6, filled: 5_001 }, 'BELOW_THRESHOLD'],
    ['interval over without a new reading', {}, { after: 24, filled: 5_000 }, 'NO_NEW_READINGS'],
    ['both at once', {}, { after: 24, filled: 6_000 }, 'volume'],
    ['enough readings in the cool-down', {}, { after: 0.5, filled: 9_000 }, 'COOL_DOWN'],
    ['at the end of the cool-down', {}, { after: 1, filled: 9_000 }, 'volume'],
    ['while a training runs', {}, { after: 30, filled: 9_000, running: true }, 'RUNNING'],
    ['a person asked', { manual: wish }, { after: 2, filled: 5_000 }, 'manual'],
    ['a person asked in the cool-down', { manual: wish }, { after: 0.9, filled: 5_000 }, 'COOL_DOWN'],
    [
      'a person asked while one runs',
      { manual: wish },
      { after: 2, filled: 5_000, running: true },
      'RUNNING',
    ],
    ['drift was seen', { drift: wish }, { after: 2, filled: 5_000 }, 'drift'],
    ['a month of outage', {}, { after: 24 * 30, filled: 5_001 }, 'interval'],
    ['a clock two years back', {}, { after: -2 * 365 * 24, filled: 6_000 }, 'COOL_DOWN'],
    [
      'readings below the minimum',
      { manual: wish, filledAtLastTraining: 0 },
      { after: 30, filled: 499 },
      'READINGS_MISSING',
    ],
    [
      'a store that lost its readings',
      { filledAtLastTraining: 90_000 },
      { after: 24, filled: 600 },
      'NO_NEW_READINGS',
    ],
  ])('%s: %o', (_, changes, { after, filled, running = false }: Seen, expected) => {
    const look = { now: start + after * hour, filled, running }
    expect(told(decideTrigger({ ...trained, ...changes }, look, options))).toBe(expected)
  })

  test('says why it fires, in numbers that a record keeps', () => {
    const look = { now: start + 25 * hour, filled: 5_400, running: false }
    const decision = decideTrigger(trained, look, options)
    expect(decision.fire && triggerSchema.parse(decision.trigger)).toEqual({
      kind: 'interval',
      at: start + 25 * hour,
      evidence: {
        readingsSince: 400,
        threshold: 1_000,
        filled: 5_400,
        readingsMin: 500,
        elapsedMs: 25 * hour,
        intervalMs: 24 * hour,
        dueAt: start + 24 * hour,
        detectMs: hour,
      },
    })
    const asked = decideTrigger({ ...trained, manual: wish }, look, options)
    expect(asked.fire && asked.trigger.evidence).toMatchObject({ reason: 'new meters', detectMs: 23 * hour })
  })

  test('shows people how far it is', () => {
    const { progress } = decideTrigger(trained, { now: start + 1, filled: 5_400, running: false }, options)
    expect(progress).toEqual({
      readings: 400,
      threshold: 1_000,
      readingsTotal: 5_400,
      readingsMin: 500,
      dueAt: start + 24 * hour,
      intervalMs: 24 * hour,
      lastTrainingAt: start,
      coolDownUntil: start + hour,
    })
  })

  test('an interval without new readings moves on by one interval from now', () => {
    const now = start + 40 * hour
    const { state } = decideTrigger(trained, { now, filled: 5_000, running: false }, options)
    expect(state.dueAt).toBe(now + 24 * hour)
  })

  test('after an outage one training catches up and the next is due an interval from then', () => {
    const now = start + 24 * 30 * hour
    const decision = decideTrigger(trained, { now, filled: 5_010, running: false }, options)
    expect(decision.fire).toBe(true)
    const next = startedBy(decision.state, (decision as { trigger: Trigger }).trigger, options)
    expect(next).toEqual({
      ...trained,
      lastTrainedAt: now,
      filledAtLastTraining: 5_010,
      dueAt: now + 24 * hour,
      coolDownUntil: now + hour,
    })
    const later = { now: now + 2 * hour, filled: 5_020, running: false }
    expect(told(decideTrigger(next, later, options))).toBe('BELOW_THRESHOLD')
  })

  test('told again of the same training changes nothing; a wish made after it stays', () => {
    const trigger: Trigger = { kind: 'manual', at: start + 5 * hour, evidence: { filled: 5_500 } }
    const once = startedBy({ ...trained, manual: wish }, trigger, options)
    expect(once.manual).toBeNull()
    const later = { at: trigger.at + 1, reason: 'again' }
    expect(startedBy({ ...once, manual: later }, trigger, options)).toEqual({ ...once, manual: later })
    expect(startedBy({ ...trained, manual: later }, trigger, options).manual).toEqual(later)
    // Nor when the clock was set back between the two.
    const earlier = { ...once, manual: { at: trigger.at - 9, reason: 'clock' } }
    expect(startedBy(earlier, trigger, options)).toEqual(earlier)
  })

  test('a clock set back delays the next training by one interval at most', () => {
    const now = start - 400 * 24 * hour
    const first = decideTrigger(trained, { now, filled: 5_500, running: false }, options)
    expect(first.state.coolDownUntil).toBe(now + hour)
    const then = decideTrigger(first.state, { now: now + 24 * hour, filled: 5_500, running: false }, options)
    expect(told(then)).toBe('interval')
  })

  test('over any sequence of ticks: never two at once, never two within the cool-down, never one missed', () => {
    const tick = fc.record({
      elapsedMs: fc.integer({ min: 0, max: 30 * hour }),
      clockJumpMs: fc.oneof(
        { weight: 8, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -900 * hour, max: 0 }) },
      ),
      readings: fc.integer({ min: 0, max: 1_500 }),
      ends: fc.boolean(),
      asks: fc.boolean(),
      restarts: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(tick, { maxLength: 60 }), (ticks) => {
        let real = 0
        let clock = 10_000 * hour
        let filled = 0
        let running = false
        let state = newTriggerState(clock, options)
        let lastReal = Number.NEGATIVE_INFINITY
        let openSince: number | undefined
        for (const { elapsedMs, clockJumpMs, readings, ends, asks, restarts } of ticks) {
          real += elapsedMs
          clock += elapsedMs + clockJumpMs
          filled += readings
          if (ends) running = false
          if (asks && state.manual === null) state = { ...state, manual: { at: clock, reason: 'asked' } }
          // A kill loses nothing: the state comes back from its stored form.
          if (restarts) state = JSON.parse(JSON.stringify(state)) as TriggerState
          const decision = decideTrigger(state, { now: clock, filled, running }, options)
          state = decision.state
          const mayTrain = !running && filled >= options.readingsMin && real - lastReal >= options.coolDownMs
          if (decision.fire) {
            expect(running).toBe(false)
            expect(real - lastReal).toBeGreaterThanOrEqual(options.coolDownMs)
            state = startedBy(state, decision.trigger, options)
            lastReal = real
            running = true
            openSince = undefined
          } else if (mayTrain && clockJumpMs === 0) {
            const wanted = filled - state.filledAtLastTraining >= options.volume || state.manual !== null
            // A clock set back may stretch the cool-down once; afterwards nothing that is wanted waits.
            if (wanted && openSince !== undefined) expect(real - openSince).toBeLessThan(options.coolDownMs)
            if (wanted) openSince ??= real
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})

interface Seen {
  after: number
  filled: number
  running?: boolean
}
