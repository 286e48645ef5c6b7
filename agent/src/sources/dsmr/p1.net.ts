/**
 * The P1 port of a smart meter: over TCP (a serial server), or from a device or file. Line speed and parity of a device
 * are set by the system (`stty -F /dev/ttyUSB0 115200 raw`): a library for that would bring a compiled part for one call.
 */

import { createReadStream } from 'node:fs'
import { createConnection } from 'node:net'
import type { Readable } from 'node:stream'
import { createCollector, type CollectorParts } from '../intake/collector.timer.ts'
import { createReconnecting, type ReconnectOptions } from '../reconnecting.timer.ts'
import type { Source, SourceState } from '../source.ts'
import { parseTelegram } from './telegram.ts'
import { createTelegramStream } from './telegram-stream.ts'
import { toTelegramSamples, type TelegramValueMapping } from './values.ts'

export interface P1Options extends ReconnectOptions {
  readonly name: string
  /** A serial server, or a device. */
  readonly host?: string
  readonly port?: number
  readonly device?: string
  /** False for meters before DSMR 4, which send no checksum. */
  readonly checked: boolean
  /** The serial number in the telegram where it is not given. */
  readonly meter?: string
  /** Milliseconds without a byte after which the connection is taken for dead; meters send every 1 to 10 s. */
  readonly silenceMs: number
  readonly values: readonly TelegramValueMapping[]
}

export const createP1Source = (parts: CollectorParts, options: P1Options): Source => {
  const { name, host, port, device, checked, meter, silenceMs, values } = options
  const collector = createCollector(parts, options)
  const now = parts.clock?.now ?? Date.now
  const target = device ?? `${host}:${port}`
  let state: SourceState = 'stopped'

  const take = (text: string): void => {
    const { samples, refused } = toTelegramSamples(parseTelegram(text), values, { meter, receivedAt: now() })
    collector.take(samples)
    for (const { code, message } of refused) collector.reject(code, message, text)
  }

  const open = (): Readable =>
    device === undefined
      ? createConnection({ host: host ?? '127.0.0.1', port: port ?? 0 })
      : createReadStream(device)

  const hold = async (signal: AbortSignal): Promise<void> => {
    const stream = open()
    const telegrams = createTelegramStream({ isChecked: checked })
    let silence: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        const listen = (): void => {
          clearTimeout(silence)
          silence = setTimeout(() => reject(new Error(`silent for ${silenceMs} ms`)), silenceMs)
        }
        signal.addEventListener('abort', () => resolve(), { once: true })
        stream.on('data', (bytes: Buffer) => {
          listen()
          state = 'live'
          for (const telegram of telegrams.push(bytes)) {
            if (telegram.ok) take(telegram.value)
            else collector.reject(telegram.refusal.code, telegram.refusal.message, bytes.toString('latin1'))
          }
          collector.flush()
        })
        stream.once('error', reject)
        stream.once('close', () => reject(new Error('the connection was closed')))
        listen()
      })
    } finally {
      clearTimeout(silence)
      stream.destroy()
    }
  }

  const reconnecting = createReconnecting(
    hold,
    (cause) => {
      state = 'connecting'
      collector.interrupted(cause instanceof Error ? cause.message : 'ended', target)
    },
    options,
  )

  return {
    name,
    series: [],
    state: () => state,
    figures: collector.figures,
    start: () => {
      state = 'connecting'
      collector.start()
      reconnecting.start()
    },
    stop: async () => {
      await reconnecting.stop()
      collector.stop()
      state = 'stopped'
    },
  }
}
