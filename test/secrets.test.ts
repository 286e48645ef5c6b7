import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFolder, scripts, type Folder } from './house/places.fs.ts'
import { runProgram } from './house/program.process.ts'
import { until } from './house/until.timer.ts'

/** What must be secret, wherever it lies in the house: whole files, and members of JSON and PEM files. */
const secretsIn = async (folder: string): Promise<readonly string[]> => {
  const found: string[] = []
  for (const path of await readdir(folder, { recursive: true })) {
    const file = join(folder, path)
    if (!(await stat(file)).isFile() || /\.(?:log|db|db-shm|db-wal|onnx)$/.test(path)) continue
    const text = await readFile(file, 'utf8')
    if (path.endsWith('-token')) found.push(text.trim())
    for (const [, secret = ''] of text.matchAll(/"secret":\s*"([^"]{20,})"/g)) found.push(secret)
    for (const [, body = ''] of text.matchAll(/PRIVATE KEY-----\n([\s\S]*?)\n-----END/g)) {
      // Any line of it: a log that was cut still tells.
      found.push(...body.split('\n').filter((line) => line.length > 32))
    }
  }
  return found
}

/** Every log of the house, and the databases as they lie on disk. */
const logsOf = async (dataDir: string): Promise<string> => {
  const names = await readdir(join(dataDir, 'logs'))
  expect(names).toEqual(expect.arrayContaining(['broker.log', 'control.log', 'gw-1.log']))
  const logs = names.map((name) => readFile(join(dataDir, 'logs', name), 'latin1'))
  const databases = (await readdir(dataDir)).filter((name) => name.startsWith('registry.db'))
  const kept = databases.map((name) => readFile(join(dataDir, name), 'latin1'))
  return (await Promise.all([...logs, ...kept])).join('\n')
}

const password = 'a password of the story'
const headers = { 'content-type': 'application/json' }

let folder: Folder
beforeAll(async () => {
  folder = await createFolder('secrets')
})
afterAll(() => folder.remove())

test('no password, token or key of a whole house stands in a log or in the registry', async () => {
  const dataDir = `${folder.path}/house`
  const feed = [
    '--meters',
    '2',
    '--agents',
    '1',
    '--history-days',
    '1',
    '--speed',
    '1',
    '--data-dir',
    dataDir,
  ]
  const ports = ['--port', '0', '--mqtt-port', '0', '--agent-port', '0']
  const house = runProgram(scripts.start, [...feed, ...ports], folder.path)
  try {
    const [, url = '', setup = ''] = await house.says(/once: (http\S+)\/#setup=(\S+)/)
    await house.says(/Agent gw-1: http/)
    const post = (path: string, body: object, more = {}) =>
      fetch(`${url}/api/v1/${path}`, {
        method: 'POST',
        headers: { ...headers, ...more },
        body: JSON.stringify(body),
      })
    expect((await post('setup', { secret: setup, password })).status).toBe(202)
    expect((await post('session', { name: 'admin', password: `${password}, mistyped` })).status).toBe(401)
    const login = await post('session', { name: 'admin', password })
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? ''
    const made = await post('tokens', { name: 'pipeline', scopes: ['read'] }, { cookie, 'x-imlma-page': '1' })
    const { secret: token } = (await made.json()) as { secret: string }
    // Refusals, too, must not repeat what they refuse.
    await post('setup', { secret: setup, password })
    await fetch(`${url}/api/v1/agents`, { headers: { authorization: `Bearer ${token}x` } })
    await fetch(`${url}/api/v1/agents?token=${token}`, { headers: { cookie } })
    house.signal('SIGINT')
    expect((await house.ended).code).toBe(0)

    const session = cookie.split('=')[1] ?? ''
    const secrets = [...(await secretsIn(dataDir)), setup, session, token, password]
    expect(secrets.length).toBeGreaterThan(10)
    expect(secrets.every((secret) => secret.length >= 20)).toBe(true)
    const logs = await until('the logs are there', () => logsOf(dataDir))
    for (const secret of secrets) expect(logs.includes(secret)).toBe(false)
    // What is printed for the person is printed once, and only there.
    expect(house.out().split(setup)).toHaveLength(2)
    for (const secret of secrets)
      if (secret !== setup) expect(house.out() + house.err()).not.toContain(secret)
  } finally {
    await house.dispose()
  }
})
