/**
 * A meter or a gateway that is asked over Modbus TCP, on a schedule that lies on the clock: every minute on the minute.
 * Modbus knows neither names nor encryption; it belongs on a wire between the two machines.
 */

import { createConnection, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { client } from 'jsmodbus'
import { createCollector, type CollectorParts } from '../intake/collector.timer.ts'
import type { Sample } from '../intake/document.ts'
import { createReconnecting, type ReconnectOptions } from '../reconnecting.timer.ts'
import type { Source, SourceState } from '../source.ts'
import { decodePoint, toReads, type Point, type PointRead } from './points.ts'

export interface ModbusOptions extends ReconnectOptions {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly unitId: number
  readonly meter: string
  /** Milliseconds between two readings of all points. */
  readonly everyMs: number
  /** Milliseconds for an answer. */
  readonly timeoutMs: number
  readonly values: readonly Point[]
}

export const createModbusSource = (parts: CollectorParts, options: ModbusOptions): Source => {
  const { name, host, port, unitId, meter, everyMs, timeoutMs, values } = options
  const collector = createCollector(parts, options)
  const reads = toReads(values)
  const now = parts.clock?.now ?? Date.now
  const target = `${host}:${port} unit ${unitId}`
  let state: SourceState = 'stopped'

  const decode = (read: PointRead, bytes: Uint8Array, at: number): void => {
    const samples: Sample[] = []
    for (const channel of read.points) {
      const point = values[channel] as Point
      const value = decodePoint(point, bytes, read.address)
      if (value !== undefined) samples.push({ meter, channel, at, value })
      else
        collector.reject(
          'BAD_REGISTER',
          'no number in the register',
          `${target} ${point.kind} ${point.address}`,
        )
    }
    collector.take(samples)
  }

  const hold = async (signal: AbortSignal): Promise<void> => {
    const socket = createConnection({ host, port })
    try {
      // Before the connection is there: the library counts itself offline until it has seen it come.
      const modbus = new client.TCP(socket, unitId, timeoutMs)
      await connected(socket, timeoutMs, signal)
      state = 'live'
      for (let at = Math.floor(now() / everyMs) * everyMs; !signal.aborted;) {
        for (const read of reads) {
          try {
            decode(read, await ask(modbus, read), at)
          } catch (cause) {
            const { code, message } = reasonOf(cause)
            collector.reject(code, message, `${target} ${read.kind} ${read.address}+${read.length}`)
            // The device answered: its other registers may be there.
            if (code !== 'MODBUS_EXCEPTION') throw new Error(message, { cause })
          }
        }
        collector.flush()
        const next = Math.floor(now() / everyMs + 1) * everyMs
        await wait(next - now(), undefined, { signal })
        // What the clock says now: the machine may have slept.
        at = Math.round(now() / everyMs) * everyMs
      }
    } finally {
      socket.destroy()
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
    series: values.map(({ register, intervalMs, unit, to }) => ({
      meter,
      register,
      intervalMs,
      unit: to ?? unit ?? null,
    })),
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

const ask = async (
  modbus: InstanceType<typeof client.TCP>,
  { kind, address, length }: PointRead,
): Promise<Uint8Array> => {
  const { response } =
    kind === 'holding'
      ? await modbus.readHoldingRegisters(address, length)
      : await modbus.readInputRegisters(address, length)
  return response.body.valuesAsBuffer
}

/** Resolves when the socket is open; what happens to it later is the library's. */
const connected = (socket: Socket, timeoutMs: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs)
    signal.addEventListener('abort', () => socket.destroy(), { once: true })
    socket.once('connect', () => {
      clearTimeout(deadline)
      resolve()
    })
    socket.on('error', reject)
    socket.once('close', () => {
      clearTimeout(deadline)
      reject(new Error('the connection was closed'))
    })
  })

const reasonOf = (cause: unknown): { readonly code: string; readonly message: string } => {
  const { err, message } = (cause ?? {}) as { readonly err?: unknown; readonly message?: unknown }
  const code =
    err === 'ModbusException' ? 'MODBUS_EXCEPTION' : err === 'Timeout' ? 'NO_ANSWER' : 'MODBUS_FAILED'
  return { code, message: typeof message === 'string' ? message : String(cause) }
}
