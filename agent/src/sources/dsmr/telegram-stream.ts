/**
 * Telegrams in a stream of bytes: from `/` to the line of `!` and its checksum. A stream that is joined in the middle of a
 * telegram, or has lost bytes, is found into again at the next `/`.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { crc16 } from './crc16.ts'

export type TelegramRefusal = 'BAD_CRC' | 'NO_CRC' | 'TOO_LONG' | 'CUT_OFF'

export interface TelegramStream {
  /** Telegrams that are complete with these bytes, as text, and what was refused, in order. */
  readonly push: (bytes: Uint8Array) => readonly Result<string, TelegramRefusal>[]
}

/** Bytes of a telegram; the longest that the standard allows, with texts and four sub-meters, are some 4 kB. */
const telegramBytesMax = 16_384

const slash = 0x2f
const bang = 0x21
const lineFeed = 0x0a

/** `isChecked: false` for meters before DSMR 4, which send none. */
export const createTelegramStream = ({ isChecked }: { readonly isChecked: boolean }): TelegramStream => {
  let held: number[] = []
  let isInside = false
  /** Place of the `!` that ends the telegram; −1 while it has not come. */
  let endAt = -1

  const leave = (): void => {
    held = []
    isInside = false
    endAt = -1
  }

  const finish = (): Result<string, TelegramRefusal> => {
    const bytes = Uint8Array.from(held)
    const signed = bytes.subarray(0, endAt + 1)
    const text = latin1(signed)
    const given = latin1(bytes.subarray(endAt + 1)).trim()
    leave()
    if (!isChecked && given === '') return accept(text)
    if (!/^[0-9A-Fa-f]{4}$/.test(given)) {
      return refuse(
        'NO_CRC',
        `no checksum behind the telegram, ${JSON.stringify(given)}`,
        'meters before DSMR 4 have none: set checked to false',
      )
    }
    const computed = crc16(signed)
    if (computed === Number.parseInt(given, 16)) return accept(text)
    return refuse('BAD_CRC', `checksum ${given}, the telegram has ${computed.toString(16).padStart(4, '0')}`)
  }

  return {
    push: (bytes) => {
      const results: Result<string, TelegramRefusal>[] = []
      for (const byte of bytes) {
        const startsLine = held.length === 0 || held.at(-1) === lineFeed
        if (byte === slash && startsLine) {
          if (isInside) results.push(refuse('CUT_OFF', 'another telegram began before the end of one'))
          leave()
          isInside = true
        }
        if (!isInside) continue
        held.push(byte)
        if (byte === bang && startsLine) endAt = held.length - 1
        else if (byte === lineFeed && endAt >= 0) results.push(finish())
        else if (held.length > telegramBytesMax) {
          leave()
          results.push(refuse('TOO_LONG', `no end of a telegram within ${telegramBytesMax} bytes`))
        }
      }
      return results
    },
  }
}

const latin1 = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes)
