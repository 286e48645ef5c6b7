import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newSecret } from './api/people/secrets.crypto.ts'
import { createLog } from './log.pino.ts'

test('a secret is cut out of the log, by its name and by its looks', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-log-'))
  try {
    const path = join(folder, 'log')
    const log = createLog('control', 'info', path)
    const secrets = (['session', 'token', 'setup'] as const).map(newSecret)
    log.info({ password: 'correct horse', body: { password: 'battery staple' } }, 'a login')
    log.info({ headers: { authorization: 'Bearer x1', cookie: 'imlma-4600=x2' } }, 'a request')
    log.warn({ url: `http://127.0.0.1/#setup=${secrets[2]}` }, `the token ${secrets[1]} is refused`)
    log.error({ err: new Error(`no session ${secrets[0]}`) }, 'it failed')
    const text = await readFile(path, 'utf8')
    expect(text.trim().split('\n')).toHaveLength(4)
    for (const secret of [...secrets, 'correct horse', 'battery staple', 'Bearer x1', 'x2']) {
      expect(text).not.toContain(secret)
    }
    expect(text).toContain('[secret]')
  } finally {
    await rm(folder, { recursive: true })
  }
})
