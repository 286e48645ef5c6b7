/**
 * What a register can be held to: by its OBIS code (IEC 62056-6-1), and by what an operator says about it. A register
 * that is not named by a code is held to little: it may be negative, and it does not count up.
 */

import { utc, type Zone } from '@imlma/protocol/series'

/** What an operator may say; everything has a default. */
export interface QualitySettings {
  /** Registers that only grow. Default: those whose code says so (x.8.x, x.9.x). */
  readonly cumulative?: boolean | undefined
  /** Default: energies and powers of one direction cannot be negative, everything else can. */
  readonly allowNegative?: boolean | undefined
  /** Zero for longer than `frozenHours` is a load that is off, not a meter that is dead. */
  readonly allowZero: boolean
  /** The same value for so long is a stuck meter. */
  readonly frozenHours: number
  /** Power that the connection is made for, by meter or one for all; without the hour of the unit: kW where values are kWh. */
  readonly ratedPower?: number | Readonly<Record<string, number>> | undefined
}

export const qualityDefaults: QualitySettings = { allowZero: false, frozenHours: 24 }

export interface QualityRules {
  readonly cumulative: boolean
  readonly allowNegative: boolean
  readonly allowZero: boolean
  /** Equal readings in a row. */
  readonly frozenReadingsMin: number
  /** In the unit of the series, or of its growth where it is cumulative; infinite where nothing was said. */
  readonly valueMax: number
  readonly zone: Zone
}

export interface RuledSeries {
  readonly meter: string
  readonly register: string
  readonly intervalMs: number
  /** Of the values; where it ends in an hour (kWh), they are energies. */
  readonly unit?: string | undefined
  readonly zone?: Zone | undefined
}

/** A fuse carries 1.25 times its rated current for an hour (IEC 60269-1, conventional non-fusing current). */
const overloadMax = 1.25

/** With daily readings two equal ones are a day, and no proof of anything. */
const frozenReadingsMin = 6

export const toRules = (series: RuledSeries, settings: QualitySettings = qualityDefaults): QualityRules => {
  const { meter, register, intervalMs, unit = '', zone = utc } = series
  const code = parseObis(register)
  const { ratedPower } = settings
  const rated = typeof ratedPower === 'object' ? ratedPower[meter] : ratedPower
  const hours = unit.endsWith('h') ? intervalMs / 3_600_000 : 1
  return {
    cumulative: settings.cumulative ?? (code !== undefined && cumulativeTypes.has(code.type)),
    allowNegative: settings.allowNegative ?? !(code !== undefined && isOneDirection(code)),
    allowZero: settings.allowZero,
    frozenReadingsMin: Math.max(
      frozenReadingsMin,
      Math.ceil((settings.frozenHours * 3_600_000) / intervalMs),
    ),
    valueMax: rated === undefined ? Number.POSITIVE_INFINITY : rated * hours * overloadMax,
    zone,
  }
}

interface Obis {
  readonly medium: number
  readonly quantity: number
  readonly type: number
}

const parseObis = (register: string): Obis | undefined => {
  const match = /^(\d+)-\d+:(\d+)\.(\d+)\.\d+/.exec(register)
  if (match === null) return undefined
  return { medium: Number(match[1]), quantity: Number(match[2]), type: Number(match[3]) }
}

/** Group D, "time integral 1 and 2": from the beginning of the measurement, or of the billing period, on. */
const cumulativeTypes: ReadonlySet<number> = new Set([8, 9])

/** Group C of electricity: 1 to 10 are import, export and quadrants of active, reactive and apparent power; 21, 41, 61 begin the phases. */
const isOneDirection = ({ medium, quantity }: Obis): boolean =>
  medium === 1 && quantity < 80 && quantity % 20 >= 1 && quantity % 20 <= 10
