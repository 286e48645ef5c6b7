/**
 * Asks a server over many kept-alive connections, each with one request under way, for some seconds, and says how often
 * and how fast it answered. A process of its own, on plain sockets: what it costs is little and the same for every server.
 *
 * The task comes as the first message, the measurement goes back as one.
 */

import { connect } from 'node:net'

export interface LoadTask {
  readonly port: number
  readonly path: string
  readonly contentType: string
  /** Base64. */
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
  readonly connections: number
  readonly warmUpMs: number
  readonly measureMs: number
}

export interface LoadMeasured {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly answered: number
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>
  /** Of the answers with status 200, where there are others. */
  readonly okP99Ms: number
}

/** Latencies kept: a minute at 100,000 a second. */
const latenciesMax = 6_000_000

const requestOf = ({ path, contentType, body, headers = {} }: LoadTask): Buffer => {
  const bytes = Buffer.from(body, 'base64')
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `POST ${path} HTTP/1.1\r\nHost: agent\r\nContent-Type: ${contentType}\r\n${more.join('')}Content-Length: ${bytes.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), bytes])
}

const run = async (task: LoadTask): Promise<LoadMeasured> => {
  const request = requestOf(task)
  const latencies = new Float32Array(latenciesMax)
  const statusOf = new Uint16Array(latenciesMax)
  let count = 0
  let measuring = false
  let ending = false

  const converse = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port: task.port, host: '127.0.0.1', noDelay: true })
      let startedAt = 0
      let bytesLeft = -1
      let status = 0
      let head = ''
      const ask = (): void => {
        startedAt = performance.now()
        socket.write(request)
      }
      const answered = (): void => {
        if (measuring && count < latenciesMax) {
          latencies[count] = performance.now() - startedAt
          statusOf[count] = status
          count += 1
        }
        bytesLeft = -1
        head = ''
        if (!ending) return ask()
        socket.end()
        resolve()
      }
      socket.on('data', (chunk) => {
        if (bytesLeft < 0) {
          head += chunk.toString('latin1')
          const end = head.indexOf('\r\n\r\n')
          if (end < 0) return
          status = Number(head.slice(9, 12))
          // On a line of its own: the binary extension has a header that ends in the same words.
          const at = head.search(/\r\ncontent-length: /i)
          bytesLeft = Number.parseInt(head.slice(at + 18, at + 28), 10) - (head.length - end - 4)
        } else {
          bytesLeft -= chunk.length
        }
        if (bytesLeft === 0) answered()
      })
      socket.on('error', reject)
      socket.on('connect', ask)
    })

  const talks = Array.from({ length: task.connections }, converse)
  const all = Promise.all(talks)
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, task.warmUpMs))])
  measuring = true
  const startedAt = performance.now()
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, task.measureMs))])
  const seconds = (performance.now() - startedAt) / 1_000
  measuring = false
  ending = true
  await all

  const statuses: Record<string, number> = {}
  const ok: number[] = []
  for (let i = 0; i < count; i++) {
    const status = statusOf[i] as number
    statuses[status] = (statuses[status] ?? 0) + 1
    if (status === 200) ok.push(latencies[i] as number)
  }
  const sorted = latencies.subarray(0, count).toSorted()
  const okSorted = Float32Array.from(ok).toSorted()
  const at = (list: Float32Array, q: number): number => list[Math.floor((list.length - 1) * q)] ?? Number.NaN
  return {
    perSecond: count / seconds,
    p50Ms: at(sorted, 0.5),
    p99Ms: at(sorted, 0.99),
    answered: count,
    statuses,
    okP99Ms: at(okSorted, 0.99),
  }
}

process.once('message', (task) => {
  void run(task as LoadTask).then((measured) => {
    process.send?.(measured)
    process.disconnect()
  })
})
