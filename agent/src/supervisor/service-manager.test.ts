import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createServiceManager } from './service-manager.process.ts'

/** What systemd does with the socket: it reads datagrams. Prints each on a line. */
const listener = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`
const has = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))

let folder: string
let listening: ChildProcess | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-notify-'))
})
afterEach(() => {
  listening?.kill()
  rmSync(folder, { recursive: true, force: true })
})

const listen = async () => {
  const socket = join(folder, 'notify')
  const child = spawn('python3', ['-c', listener, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  listening = child
  let heard = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (heard += text))
  await vi.waitUntil(() => existsSync(socket), { timeout: 5_000 })
  return { socket, heard: () => heard }
}

test('systemd is told that the agent is ready, that it is alive, and that it stops', async (context) => {
  context.skip(
    !has('systemd-notify') || !has('python3'),
    'systemd-notify or python3: apt-get install systemd python3',
  )
  const { socket, heard } = await listen()
  const failures: unknown[] = []
  const manager = createServiceManager(
    { onFailure: (cause) => failures.push(cause) },
    { socket, watchdogUs: '300000' },
  )
  manager.ready()
  await vi.waitUntil(() => heard().includes('READY=1'), { timeout: 5_000 })
  await vi.waitUntil(() => heard().split('WATCHDOG=1').length > 2, { timeout: 5_000 })
  manager.status('needs a restart for: port')
  manager.stopping()
  await vi.waitUntil(() => heard().includes('STOPPING=1'), { timeout: 5_000 })
  manager.stop()
  expect(heard()).toContain('STATUS=needs a restart for: port')
  expect(failures).toEqual([])
})

test('where nobody listens nobody is told, and a telling that fails is said', async (context) => {
  context.skip(!has('systemd-notify'), 'systemd-notify: apt-get install systemd')
  const onFailure = vi.fn()
  createServiceManager({ onFailure }, { socket: undefined, watchdogUs: undefined }).ready()
  const manager = createServiceManager({ onFailure }, { socket: join(folder, 'nobody'), watchdogUs: '0' })
  manager.ready()
  await vi.waitUntil(() => onFailure.mock.calls.length > 0, { timeout: 5_000 })
  expect(onFailure).toHaveBeenCalledTimes(1)
})
