import { expect, test } from 'vitest'
import { startServer } from './server.http.ts'
import { createTestApp } from './testing/call.http.ts'

const { app, control } = createTestApp()

test('a port that is taken is named, with the option that changes it', async () => {
  const first = await startServer(app, { host: '127.0.0.1', port: 0 })
  await expect(startServer(app, { host: '127.0.0.1', port: first.port })).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringContaining(String(first.port)),
    hint: expect.stringContaining('--port'),
  })
  await first.close()
  const again = await startServer(app, { host: '127.0.0.1', port: first.port })
  await again.close()
})

test('closing ends the streams of those who watch', async () => {
  const server = await startServer(app, { host: '127.0.0.1', port: 0 })
  const response = await fetch(`${server.url}/api/v1/events`, {
    headers: { authorization: 'Bearer read' },
  })
  await expect.poll(() => control.watchers()).toBe(1)
  await server.close()
  await response.text().catch(() => undefined)
  await expect.poll(() => control.watchers()).toBe(0)
})

test('an address that others can reach is not listened on without TLS', async () => {
  for (const host of ['0.0.0.0', '::', '127.0.0.1.example.org', '192.0.2.1']) {
    await expect(startServer(app, { host, port: 0 })).rejects.toMatchObject({ code: 'TLS_NEEDED' })
  }
})

test('a certificate that is none is told as such', async () => {
  const tls = { cert: 'no certificate', key: 'no key' }
  await expect(startServer(app, { host: '127.0.0.1', port: 0, tls })).rejects.toMatchObject({
    code: 'TLS_UNUSABLE',
  })
})
