/** Meters without an agent: an MQTT client that speaks as one, and sends exactly the readings that a story wants. */

import { connectAsync } from 'mqtt'
import { ackSchema, encodeCbor, protocolVersion, toTopic, type ReadingBatch } from '@imlma/protocol/wire'
import { site } from './watch.mqtt.ts'
import { until } from './until.timer.ts'

const hourMs = 3_600_000
const firstAt = Date.UTC(2025, 1, 3)

export interface Meters {
  /** The next hours of both meters; resolves when they are stored. */
  readonly send: (hours: number) => Promise<void>
  readonly end: () => Promise<void>
}

export const meterNames = ['north', 'south'] as const
export const meterRegister = '1-0:1.29.0'

/** A day, a week and some weather: forecastable, and the same on every machine. */
const valueAt = (meter: number, hour: number): number => {
  const weekend = Math.floor(hour / 24) % 7 >= 5 ? 0.7 : 1
  const daily = 40 - 15 * Math.cos((2 * Math.PI * hour) / 24)
  return weekend * daily * (1 - 0.4 * meter) + 3 * Math.sin(hour / 61) + 2 * Math.sin(hour / (23 + meter))
}

export const createMeters = async (broker: string, agent: string): Promise<Meters> => {
  const client = await connectAsync(broker, {
    clientId: `agent:${site}:${agent}`,
    protocolVersion: 4,
    clean: false,
  })
  let acknowledged = 0
  client.on('message', (_topic, payload) => {
    acknowledged = Math.max(acknowledged, ackSchema.parse(JSON.parse(payload.toString())).seq)
  })
  await client.subscribeAsync(toTopic({ site, agent }, 'ack'), { qos: 1 })
  let seq = 0
  let sent = 0
  return {
    send: async (hours) => {
      seq += 1
      const batch: ReadingBatch = {
        v: protocolVersion,
        seq,
        sentAt: Date.now(),
        historical: false,
        series: meterNames.map((meter, index) => ({
          meter,
          register: meterRegister,
          interval: hourMs,
          start: firstAt + sent * hourMs,
          values: Float32Array.from({ length: hours }, (_, hour) => valueAt(index, sent + hour)),
        })),
      }
      sent += hours
      await client.publishAsync(toTopic({ site, agent }, 'readings'), Buffer.from(encodeCbor(batch)), {
        qos: 1,
      })
      await until('the readings are stored', () => acknowledged >= seq)
    },
    end: () => client.endAsync(true),
  }
}
