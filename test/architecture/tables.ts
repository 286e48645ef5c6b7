/**
 * What the rules of the house refer to, in tables: packages, technologies, rooms, globals. Tighten here, not in the rules.
 */

/** Packages of the workspace and whom each may import by name. */
export const packages: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  agent: ['protocol'],
  coordinator: ['protocol'],
}

/** The npm packages that any file may import; our own are another rule's matter. */
export const purePackages = ['zod']

export const ownScope = '@imlma/'

/**
 * Technology suffixes, and the npm packages that a file with the suffix may import beside these.
 * Node's own modules, clocks and timers are open to every suffix.
 */
export const technologies: Readonly<Record<string, readonly string[] | 'any'>> = {
  aedes: ['aedes'],
  cbor: ['cbor-x'],
  child: 'any',
  clock: [],
  commander: ['commander'],
  croner: ['croner'],
  csv: ['csv-parse'],
  crypto: [],
  echarts: ['echarts'],
  forge: ['node-forge'],
  fork: [],
  fs: [],
  hono: ['hono', '@hono/node-server', '@hono/zod-openapi'],
  http: ['hono', '@hono/node-server', '@hono/zod-openapi'],
  kysely: ['kysely', 'better-sqlite3'],
  lowdb: ['lowdb'],
  modbus: ['jsmodbus'],
  mqtt: ['mqtt'],
  nacl: ['tweetnacl'],
  net: [],
  onnx: ['onnxruntime-node'],
  tfjs: ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm', '@tensorflow/tfjs-node', 'node:util'],
  os: [],
  pino: ['pino'],
  postgres: ['kysely', 'pg'],
  process: [],
  prom: ['prom-client'],
  protobuf: ['protobufjs'],
  random: [],
  sketches: ['@datadog/sketches-js'],
  sqlite: ['better-sqlite3', 'kysely'],
  sse: ['hono'],
  stream: [],
  timer: [],
  tls: [],
  uplot: ['uplot'],
  worker: 'any',
  zlib: [],
}

/** Files that only tests load: they may import and call what they like. */
export const testSuffixes = ['test', 'contract', 'bench']

const upToRegistry = ['storage', 'trust', 'broker', 'ingest', 'registry']
const everyDeciding = [
  ...upToRegistry,
  'triggers',
  'datasets',
  'training',
  'tuning',
  'gate',
  'rollout',
  'shadow',
  'fleet',
  'audit',
]

/** Which rooms a room may import from, along the way of a reading. Every room may import from itself. */
export const rooms: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  agent: {
    identity: [],
    supervisor: [],
    clock: [],
    link: ['outbox'],
    outbox: [],
    history: ['outbox'],
    sources: ['outbox'],
    serving: ['history'],
    audit: ['link'],
    models: ['serving', 'link', 'audit', 'clock'],
    monitoring: ['serving', 'models', 'history', 'link'],
    api: ['serving', 'models', 'monitoring', 'outbox', 'sources', 'link'],
  },
  coordinator: {
    storage: [],
    trust: ['storage'],
    broker: ['storage', 'trust'],
    ingest: ['storage', 'broker'],
    registry: ['storage', 'trust'],
    fleet: upToRegistry,
    audit: upToRegistry,
    triggers: [...upToRegistry, 'fleet'],
    datasets: [...upToRegistry, 'triggers'],
    training: [...upToRegistry, 'datasets', 'tuning'],
    tuning: [...upToRegistry, 'datasets', 'training'],
    gate: [...upToRegistry, 'datasets', 'training', 'tuning'],
    backtest: ['datasets', 'training', 'tuning'],
    rollout: [...upToRegistry, 'gate', 'fleet'],
    shadow: [...upToRegistry, 'gate', 'fleet'],
    lifecycle: everyDeciding,
    api: [...everyDeciding, 'lifecycle'],
    dashboard: [...everyDeciding, 'lifecycle', 'api'],
    control: [...everyDeciding, 'lifecycle', 'api', 'dashboard'],
    cli: [...everyDeciding, 'lifecycle', 'api', 'dashboard', 'backtest'],
  },
}

/** Globals through which a file reaches outside. `Date`, `Math` and `AbortSignal` are pure in part; `purity.ts` knows which. */
export const outsideGlobals = [
  'performance',
  'crypto',
  'process',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'fetch',
  'console',
  'Buffer',
  'NodeJS',
  'WebSocket',
  'EventSource',
  'Worker',
  'XMLHttpRequest',
  'navigator',
  'localStorage',
  'window',
  'document',
  'globalThis',
  'global',
  'require',
  'eval',
  'Function',
  'import.meta',
]

export const linesMax = 300

/** Files above `linesMax` because they are one table. */
export const longTables: readonly string[] = ['test/attacks/table.ts']
