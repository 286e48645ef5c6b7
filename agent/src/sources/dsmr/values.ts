/** Which values of a telegram become readings: several tariffs of one direction may be added up. */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import type { Sample } from '../intake/document.ts'
import { conversion } from '../intake/units.ts'
import { valueFields } from '../intake/values.ts'
import type { Telegram } from './telegram.ts'

const reference = z
  .string()
  .regex(/^\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}$/, 'an OBIS reference like 1-0:1.8.1')

export const telegramValueSchema = z.strictObject({
  ...valueFields,
  /** One reference, or several that are added up (`["1-0:1.8.1", "1-0:1.8.2"]`: both tariffs). */
  obis: z.union([reference, z.array(reference).min(1).max(8)]),
})
export type TelegramValueMapping = z.infer<typeof telegramValueSchema>

export interface TelegramSamples {
  readonly samples: readonly Sample[]
  readonly refused: readonly {
    readonly code: 'NO_METER' | 'NO_VALUE' | 'BAD_UNIT'
    readonly message: string
  }[]
}

export const toTelegramSamples = (
  telegram: Telegram,
  mappings: readonly TelegramValueMapping[],
  { meter: named, receivedAt }: { readonly meter: string | undefined; readonly receivedAt: number },
): TelegramSamples => {
  const meter = (named ?? telegram.equipment)?.slice(0, limits.nameLengthMax)
  if (meter === undefined || meter === '') {
    return {
      samples: [],
      refused: [{ code: 'NO_METER', message: 'the telegram names no meter: configure one' }],
    }
  }
  const samples: Sample[] = []
  const refused: TelegramSamples['refused'][number][] = []
  mappings.forEach(({ obis, unit }, channel) => {
    let sum = 0
    let at = telegram.at ?? receivedAt
    for (const each of typeof obis === 'string' ? [obis] : obis) {
      const found = telegram.values.get(each)
      if (found === undefined) {
        refused.push({ code: 'NO_VALUE', message: `${each} is not in the telegram` })
        return
      }
      const factor = found.unit === undefined || unit === undefined ? 1 : conversion(found.unit, unit)
      if (factor === undefined) {
        refused.push({ code: 'BAD_UNIT', message: `${each} comes in ${found.unit}, configured is ${unit}` })
        return
      }
      sum += found.value * factor
      at = found.at ?? at
    }
    samples.push({ meter, channel, at, value: sum })
  })
  return { samples, refused }
}
