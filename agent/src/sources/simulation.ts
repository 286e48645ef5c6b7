/**
 * Meters that were never built: energy per interval as households and small businesses use it, with days, weeks, seasons
 * and weather. Every value follows from seed, meter and time alone, so any part can be computed in any order, and a
 * feed that was interrupted goes on with the same readings.
 *
 * Shapes are plausible, not fitted: two peaks a day at home, working hours in business, heating below 15 °C, cooling
 * above 23 °C, holidays a week long, and noise with a memory of some intervals.
 */

import { dayMs, dayOf, dayOfWeekOf, timeOfDayOf } from '@imlma/protocol/series'
import { autoregressionAt, seedOf, uniformAt } from './noise.ts'

export interface SimulationOptions {
  readonly seed: number
  readonly intervalMs: number
  /** Something that changes for good: a meter with a wrong factor, a street with heat pumps. */
  readonly changes?: readonly Change[]
}

export interface Change {
  /** From this event time on … */
  readonly from: number
  /** … readings are multiplied by this … */
  readonly gain: number
  /** … of these meters, or of all. */
  readonly meters?: readonly string[]
}

export interface Simulation {
  /** Energy in kWh of `count` intervals from `start` (on the interval) on, to 1 Wh. */
  readonly read: (meter: string, start: number, count: number) => Float32Array
  /** Outside temperature in °C of `count` intervals from `start` on, to 0.1 °C; one for the whole site. */
  readonly temperature: (start: number, count: number) => Float32Array
}

interface MeterTraits {
  readonly seed: number
  readonly isBusiness: boolean
  readonly baseKw: number
  readonly peakKw: number
  readonly morningHour: number
  readonly eveningHour: number
  readonly heatingKwPerDegree: number
  readonly coolingKwPerDegree: number
}

/** Days whose weather is remembered; a longer run begins the memory anew. */
const weatherDaysMax = 4_096

export const createSimulation = ({ seed, intervalMs, changes = [] }: SimulationOptions): Simulation => {
  const weather = createWeather(seedOf(seed, 'weather'))

  const read = (meter: string, start: number, count: number): Float32Array => {
    const traits = traitsOf(seed, meter)
    const hours = intervalMs / 3_600_000
    const own = changes.filter(({ meters }) => meters === undefined || meters.includes(meter))
    return Float32Array.from({ length: count }, (_, i) => {
      const at = start + i * intervalMs
      const noise = 1 + 0.14 * autoregressionAt(traits.seed, at / intervalMs, 0.7)
      const gain = own.reduce((product, change) => (at >= change.from ? product * change.gain : product), 1)
      const powerKw = loadKw(traits, at, weather(at)) * Math.max(0.05, noise) * gain
      return Math.round(powerKw * hours * 1_000) / 1_000
    })
  }

  return {
    read,
    temperature: (start, count) =>
      Float32Array.from({ length: count }, (_, i) => Math.round(weather(start + i * intervalMs) * 10) / 10),
  }
}

/** °C over time: season, day, and spells of some days that follow an autoregression. */
const createWeather = (seed: number): ((at: number) => number) => {
  const spells = new Map<number, number>()
  const spellOf = (day: number): number => {
    const known = spells.get(day)
    if (known !== undefined) return known
    if (spells.size >= weatherDaysMax) spells.clear()
    const spell = 3.6 * autoregressionAt(seed, day, 0.75)
    spells.set(day, spell)
    return spell
  }
  return (at) => {
    const day = dayOf(at)
    const part = timeOfDayOf(at) / dayMs
    const season = 11 - 9 * Math.cos((2 * Math.PI * (at / dayMs - 20)) / 365.25)
    const daily = 3.5 * Math.sin(2 * Math.PI * (part - 0.375))
    return season + daily + spellOf(day) * (1 - part) + spellOf(day + 1) * part
  }
}

const traitsOf = (seed: number, meter: string): MeterTraits => {
  const own = seedOf(seed, meter)
  const between = (trait: number, low: number, high: number) => low + (high - low) * uniformAt(own, -trait)
  const isBusiness = between(1, 0, 1) < 0.3
  const size = isBusiness ? between(2, 3, 9) : between(2, 0.7, 1.6)
  return {
    seed: own,
    isBusiness,
    baseKw: size * between(3, 0.15, 0.3),
    peakKw: size,
    morningHour: between(4, 6.3, 8.2),
    eveningHour: between(5, 18, 20.5),
    heatingKwPerDegree: size * between(6, 0.01, 0.05),
    coolingKwPerDegree: size * between(7, 0, isBusiness ? 0.06 : 0.03),
  }
}

const loadKw = (traits: MeterTraits, at: number, temperature: number): number => {
  const hour = timeOfDayOf(at) / 3_600_000
  const day = dayOf(at)
  const weekday = dayOfWeekOf(day)
  const active = traits.isBusiness ? businessShare(hour, weekday) : homeShare(traits, hour, weekday)
  const weather =
    traits.heatingKwPerDegree * Math.max(0, 15 - temperature) +
    traits.coolingKwPerDegree * Math.max(0, temperature - 23)
  // In about one week of 40 nobody is there.
  const away = uniformAt(traits.seed ^ 0x5bd1, Math.floor((day + 3) / 7)) < 0.025 ? 0.2 : 1
  return traits.baseKw + away * (traits.peakKw * active + weather * (0.5 + 0.5 * active))
}

const homeShare = ({ morningHour, eveningHour }: MeterTraits, hour: number, weekday: number): number => {
  const isWeekend = weekday >= 5
  const morning = 0.4 * bump(hour, morningHour + (isWeekend ? 1.8 : 0), 1.2)
  const midday = (isWeekend ? 0.35 : 0.12) * bump(hour, 13, 2)
  return morning + midday + 0.75 * bump(hour, eveningHour, 2.2)
}

const businessShare = (hour: number, weekday: number): number => {
  const open = (1 / (1 + Math.exp((7.5 - hour) * 2.5))) * (1 / (1 + Math.exp((hour - 17.8) * 2.5)))
  if (weekday === 6) return 0.08 * open
  return weekday === 5 ? 0.45 * open : open
}

/** 1 at the centre, falling off like a bell, around the clock. */
const bump = (hour: number, centre: number, width: number): number => {
  const apart = Math.abs(hour - centre)
  const distance = Math.min(apart, 24 - apart) / width
  return Math.exp(-0.5 * distance * distance)
}
