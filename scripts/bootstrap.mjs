/**
 * Makes a fresh clone ready, then runs a TypeScript file under the pinned Node: `node scripts/bootstrap.mjs FILE.ts …`.
 *
 * Plain JavaScript for Node 20 with nothing but `node:` modules, because nothing else is there yet. Standard output belongs
 * to the target (its last line may be JSON), so everything said here goes to standard error.
 *
 * The set-up is done when `node_modules/.imlma-setup` holds the hash of the files that decide what is installed. The stamp
 * goes before an install and comes back after it, so a half-finished install is repaired by the next run.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'

const nodeMajorMin = 20
/** A lock whose owner has not touched it for this long is left over: owners touch theirs every `lockTouchMs`. */
const lockStaleMs = 15_000
const lockTouchMs = 2_000
/** Waiting for somebody else's install ends here: three times a slow one. */
const lockWaitMsMax = 600_000
/** Ctrl-C reaches us from the terminal and from npm; two of a kind within this time are one. */
const signalEchoMs = 500

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const at = (...parts) => join(root, ...parts)
const stamp = at('node_modules', '.imlma-setup')
const lock = at('.imlma', 'setup.lock')
const runtime = at('node_modules', '.bin', 'node')
const decisive = [
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'package.json',
  'protocol/package.json',
  'agent/package.json',
  'coordinator/package.json',
]

const say = (line) => process.stderr.write(`imlma: ${line}\n`)

/** Says what is wrong and what to do, and ends the process. */
const giveUp = (problem, hint) => {
  say(problem)
  say(hint)
  process.exit(1)
}

const readIfThere = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')

const fingerprint = () => {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`)
  for (const file of decisive) hash.update(`${file}\n${readIfThere(at(file))}\n`)
  return hash.digest('hex')
}

const isReady = () => existsSync(runtime) && readIfThere(stamp) === fingerprint()

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** True when the lock is gone, its owner is dead, or its owner stopped touching it. */
const isStale = () => {
  try {
    const silentMs = Date.now() - statSync(lock).mtimeMs
    const owner = Number.parseInt(readFileSync(lock, 'utf8'), 10)
    // A lock without a number is being written at this moment: leave it until it is old.
    return silentMs > lockStaleMs || (Number.isInteger(owner) && !isAlive(owner))
  } catch {
    return true
  }
}

/** True when the lock is ours. Read again a little later: two waiters may have removed the same stale lock. */
const takeLock = async () => {
  try {
    writeFileSync(lock, `${process.pid}`, { flag: 'wx' })
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (isStale()) rmSync(lock, { force: true })
    return false
  }
  await sleep(100)
  return readIfThere(lock) === `${process.pid}`
}

/** Runs the pinned pnpm. Its standard output is sent to standard error, which shows the progress. */
const install = (packageManager, ...flags) =>
  new Promise((resolve) => {
    const args = [
      '--yes',
      packageManager,
      'install',
      '--frozen-lockfile',
      '--config.confirmModulesPurge=false',
      // It is the pinned version already: looking itself up again would need an entry of its own in the lock file.
      '--pm-on-fail=ignore',
      ...flags,
    ]
    // Under NODE_ENV=production pnpm leaves out the development tools, and with them the pinned Node.
    const env = { ...process.env, NODE_ENV: 'development' }
    delete env.npm_config_loglevel
    const child = spawn('npx', args, { cwd: root, env, stdio: ['ignore', 2, 2] })
    process.once('exit', () => child.kill())
    child.on('error', (error) => resolve(error.code === 'ENOENT' ? 'npx is missing' : error.message))
    child.on('exit', (code, signal) =>
      resolve(code === 0 ? undefined : `pnpm ended with ${signal ?? `code ${code}`}`),
    )
  })

const setUp = async () => {
  const { packageManager } = JSON.parse(readFileSync(at('package.json'), 'utf8'))
  say(`installing what is needed (${packageManager}); the first time takes about a minute …`)
  rmSync(stamp, { force: true })
  const wanted = fingerprint()
  let problem = await install(packageManager)
  // Told to repair, pnpm looks at every package instead of trusting its notes about the last install.
  if (problem === undefined && !existsSync(runtime)) problem = await install(packageManager, '--force')
  if (problem === undefined && !existsSync(runtime)) problem = 'the pinned Node was not installed'
  if (problem === undefined) return writeFileSync(stamp, wanted)
  giveUp(
    `the set-up failed: ${problem}.`,
    problem === 'npx is missing'
      ? 'npx comes with npm: install npm and run the same command again.'
      : 'Is the package registry in reach (network, proxy: `npm ping`), and is the disk not full? Then run the same command again.',
  )
}

/** Sets up once, also when several start at the same time: the others wait and find the work done. */
const makeReady = async () => {
  if (isReady()) return
  mkdirSync(dirname(lock), { recursive: true })
  const startedAt = Date.now()
  for (let tries = 0; !(await takeLock()); tries += 1) {
    if (tries === 1) say('another set-up is running here; waiting for it …')
    if (Date.now() - startedAt > lockWaitMsMax)
      giveUp(
        'another set-up does not end.',
        `If none is running, delete ${lock} and run the same command again.`,
      )
    await sleep(250)
  }
  const touch = setInterval(() => utimesSync(lock, new Date(), new Date()), lockTouchMs)
  process.once('exit', () => rmSync(lock, { force: true }))
  if (!isReady()) await setUp()
  clearInterval(touch)
  rmSync(lock, { force: true })
}

/**
 * Runs the target in a process group of its own: what the terminal sends to our group does not reach it, we forward each
 * signal once. `bootstrap.orphan.mjs` ends the target when we are killed without a chance to forward anything.
 */
const run = (target, args) => {
  const guard = pathToFileURL(at('scripts', 'bootstrap.orphan.mjs')).href
  const child = spawn(runtime, ['--import', guard, target, ...args], { stdio: 'inherit', detached: true })
  const forwardedAt = new Map()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      if (Date.now() - (forwardedAt.get(signal) ?? 0) < signalEchoMs) return
      forwardedAt.set(signal, Date.now())
      child.kill(signal)
    })
  child.on('error', (error) =>
    giveUp(`${runtime} did not start: ${error.message}.`, 'Delete node_modules and run again.'),
  )
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

const [target, ...args] = process.argv.slice(2)
if (Number.parseInt(process.versions.node, 10) < nodeMajorMin)
  giveUp(
    `Node ${nodeMajorMin} or newer is needed, this is ${process.version}.`,
    'Newer ones are on nodejs.org.',
  )
if (target === undefined)
  giveUp(
    'no file to run.',
    'Usage: node scripts/bootstrap.mjs FILE.ts [arguments], or `npm start`, `npm test`.',
  )
process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
await makeReady()
process.removeAllListeners('SIGINT')
process.removeAllListeners('SIGTERM')
run(target, args)
