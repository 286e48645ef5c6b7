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
  const response = await fetch(`${server.url}/api/v1/events`)
  await expect.poll(() => control.watchers()).toBe(1)
  await server.close()
  await response.text().catch(() => undefined)
  await expect.poll(() => control.watchers()).toBe(0)
})
