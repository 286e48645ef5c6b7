/**
 * The agent as a Debian package, from its build to its purge: built twice the same, without an error of lintian's, its
 * service understood by systemd, and on this machine installed, run as its own user, upgraded with a backlog, removed and
 * purged. Real dpkg: where a gateway's agent is installed already, or where it would be started, nothing is touched.
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { layersOf, tinyContract, type Dense } from '@imlma/agent/serving/testing'
import { startControlCentre, type ControlCentre } from '@imlma/agent/serving/testing/processes'
import { createFolder, type Folder } from './house/places.fs.ts'
import { until } from './house/until.timer.ts'

const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
const state = '/var/lib/imlma-agent'
const configurationFile = '/etc/imlma-agent/agent.json'

const run = (command: string, ...args: readonly string[]) => {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  return { isMissing: error !== undefined, status, text: `${stdout}${stderr}`, stdout }
}
const must = (command: string, ...args: readonly string[]): string => {
  const { status, text, stdout } = run(command, ...args)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${text}`)
  return stdout
}
const isMissing = (command: string): boolean => run(command, '--version').isMissing

interface Built {
  readonly file: string
  readonly sha256: string
  readonly installedMB: number
}
const build = (folder: string, version: string): Built => {
  const script = join(import.meta.dirname, '..', 'scripts', 'package', 'main.ts')
  const args = [script, '--arch', architecture, '--fast', '--out', folder, '--version', version]
  // A commit between two builds is no difference between them.
  return JSON.parse(must('env', 'SOURCE_DATE_EPOCH=1767225600', process.execPath, ...args)) as Built
}

let folder: Folder
let older: Built
let newer: Built
beforeAll(async () => {
  folder = await createFolder('package')
  if (isMissing('dpkg-deb')) return
  older = build(folder.path, '0.0.1')
  newer = build(folder.path, '0.0.2')
}, 180_000)
afterAll(() => folder.remove())

const needDebian = (context: TestContext): void =>
  context.skip(isMissing('dpkg-deb'), 'dpkg-deb: a Debian machine')

describe('the package', () => {
  test('is the same to the byte when it is built again, and small enough', (context) => {
    needDebian(context)
    const again = build(join(folder.path, 'again'), '0.0.2')
    expect(again.sha256).toBe(newer.sha256)
    expect(newer.installedMB).toBeLessThan(190)
  })

  test('holds nothing for another architecture', (context) => {
    needDebian(context)
    const files = must('dpkg-deb', '--contents', newer.file)
    const natives = files.split('\n').filter((line) => /\.node$|\.so(?:\.\d+)*$/u.test(line))
    expect(natives.map((line) => basename(line)).toSorted()).toEqual([
      'libonnxruntime.so.1',
      `linux-${process.arch}.node`,
      'onnxruntime_binding.node',
    ])
  })

  test('is free of errors by Debian’s own checker', (context) => {
    needDebian(context)
    context.skip(isMissing('lintian'), 'lintian: apt-get install lintian')
    const { status, text: said } = run('lintian', '--allow-root', '--fail-on', 'error', newer.file)
    expect({ status, said }).toMatchObject({ status: 0 })
  })

  test('brings a service that systemd understands, and that may do little', (context) => {
    needDebian(context)
    context.skip(isMissing('systemd-analyze'), 'systemd-analyze: apt-get install systemd')
    const tree = join(folder.path, 'tree')
    must('dpkg-deb', '--extract', newer.file, tree)
    const unit = 'lib/systemd/system/imlma-agent.service'
    const { text } = run('systemd-analyze', 'verify', '--man=no', `--root=${tree}`, 'imlma-agent.service')
    // The tree holds the agent and nothing of the system around it.
    const isOfSystem = /sysinit\.target not found|\/bin\/kill is not executable/u
    const objections = text
      .split('\n')
      .filter((line) => line.includes('imlma-agent.service:') && !isOfSystem.test(line))
    expect(objections).toEqual([])
    const security = run('systemd-analyze', 'security', '--offline=true', '--threshold=25', join(tree, unit))
    expect(security).toMatchObject({ status: 0 })
  })
})

const contract = tinyContract({ features: 8, horizon: 4, unit: 'kWh' })
const layer = (version: number): Dense => layersOf([8, 4], version / 10)[0] as Dense

describe('on a machine', () => {
  let centre: ControlCentre
  let hadUser = false
  let agent: ChildProcess | undefined
  let reasonNot: string | undefined
  beforeAll(async () => {
    hadUser = run('id', 'imlma-agent').status === 0
    if (isMissing('dpkg-deb')) reasonNot = 'dpkg: a Debian machine'
    else if (process.getuid?.() !== 0) reasonNot = 'the rights to install: run the tests as root'
    else if (existsSync('/run/systemd/system'))
      reasonNot = 'a machine without a running systemd: it would start the agent'
    else if (existsSync('/usr/bin/imlma-agent') || existsSync(state)) reasonNot = 'a machine without an agent'
    else if (run('adduser', '--version').isMissing) reasonNot = 'adduser: apt-get install adduser'
    centre = await startControlCentre()
  })
  afterAll(async () => {
    agent?.kill('SIGKILL')
    await centre.close()
    if (reasonNot !== undefined) return
    run('dpkg', '--purge', 'imlma-agent')
    if (!hadUser) run('userdel', 'imlma-agent')
  })

  /** What the unit starts, as its user and with its umask. */
  const start = async (): Promise<{ url: string; pid: number; ended: Promise<unknown> }> => {
    const unit = readFileSync('/lib/systemd/system/imlma-agent.service', 'utf8')
    const command = (/^ExecStart=(.+)$/mu.exec(unit)?.[1] ?? '').split(' ')
    const as = ['--reuid=imlma-agent', '--regid=imlma-agent', '--clear-groups', '--no-new-privs']
    const child = spawn('setpriv', [...as, ...command], { stdio: ['ignore', 'pipe', 'pipe'], cwd: state })
    agent = child
    let [out, log] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-20_000)))
    const ended = once(child, 'exit')
    const url = await until('the agent is up', () => {
      if (child.exitCode !== null) throw new Error(log)
      return /"api":"([^"]+)"/u.exec(out)?.[1]
    })
    return { url, pid: child.pid as number, ended }
  }
  const configure = (broker: string): void => {
    const feed = {
      kind: 'simulated',
      name: 'feed',
      meters: 20,
      historyDays: 2,
      register: contract.register,
      speed: 900,
    }
    const document = {
      name: 'gw-package',
      site: centre.site,
      broker,
      root: `${state}/root.json`,
      port: 0,
      sources: [feed],
    }
    writeFileSync(configurationFile, JSON.stringify(document))
  }
  interface Status {
    readonly agentVersion: string
    readonly backlog: { readonly readings: number; readonly dropped: number }
  }
  const statusOf = async (url: string): Promise<Status> =>
    (await fetch(`${url}/status`)).json() as Promise<Status>

  test('is installed, runs as its own user, keeps its backlog through an upgrade, and leaves when it is purged', async (context) => {
    context.skip(reasonNot !== undefined, reasonNot)
    must('dpkg', '--install', older.file)
    expect(statSync(state).mode & 0o777).toBe(0o700)
    writeFileSync(`${state}/root.json`, JSON.stringify(centre.root))
    // Nobody listens there: what is read stays.
    configure('mqtt://127.0.0.1:9')
    expect(must('imlma-agent', 'check', '--config', configurationFile)).toContain('feed (simulated)')

    const first = await start()
    const user = must('id', '-u', 'imlma-agent').trim()
    expect(readFileSync(`/proc/${first.pid}/status`, 'utf8')).toMatch(
      new RegExp(`^Uid:\\s+${user}\\s+${user}\\s`, 'mu'),
    )
    const before = await until('a backlog is there', async () => {
      const status = await statusOf(first.url)
      return status.backlog.readings >= 3_000 && status
    })
    expect(before.agentVersion).toBe('0.0.1')
    agent?.kill('SIGKILL')
    await first.ended

    must('dpkg', '--install', newer.file)
    expect(readFileSync(configurationFile, 'utf8')).toContain('gw-package')
    configure(centre.url)
    const second = await start()
    const said = centre.of('gw-package')
    const after = await until('the backlog has left', async () => {
      const status = await statusOf(second.url)
      return status.backlog.readings < 100 && said.batches.size > 0 && status
    })
    expect(after).toMatchObject({ agentVersion: '0.0.2', backlog: { dropped: 0 } })
    const received = [...said.batches.values()].reduce((sum, readings) => sum + readings, 0)
    expect(received).toBeGreaterThanOrEqual(before.backlog.readings)

    centre.assign('gw-package', centre.release(1, layer(1), contract))
    await until('the model serves', () => said.reported?.models['load']?.active?.version === 1)
    const inputs = [
      { name: 'features', shape: [1, 8], datatype: 'FP32', data: Array.from({ length: 8 }, () => 1) },
    ]
    const body = JSON.stringify({ inputs })
    const answer = await fetch(`${second.url}/v2/models/load/infer`, { method: 'POST', body })
    expect(await answer.json()).toMatchObject({ model_version: '1', outputs: [{ shape: [1, 4] }] })
    expect(statSync(`${state}/logs/agent.log`).size).toBeGreaterThan(0)
    agent?.kill('SIGTERM')
    expect(await second.ended).toEqual([0, null])

    must('dpkg', '--remove', 'imlma-agent')
    expect(existsSync('/usr/bin/imlma-agent')).toBe(false)
    expect(existsSync('/usr/lib/imlma-agent')).toBe(false)
    expect(existsSync(`${state}/readings.db`)).toBe(true)
    expect(existsSync(configurationFile)).toBe(true)
    must('dpkg', '--purge', 'imlma-agent')
    expect(existsSync(state)).toBe(false)
    expect(existsSync(configurationFile)).toBe(false)
  }, 180_000)
})
