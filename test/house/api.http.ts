/** The control centre's API, with the fields that stories look at. */

import { askFor, createAsk } from '../../scripts/start/ask.ts'

export interface Figures {
  readonly mse: number
  readonly mae: number
  readonly r2: number
  readonly rows: number
}

export interface Trigger {
  readonly kind: 'volume' | 'interval' | 'drift' | 'manual'
  readonly at: number
  readonly evidence: Readonly<Record<string, string | number | boolean | null>>
}

interface Window {
  readonly start: number
  readonly end: number
}

export interface Round {
  readonly run: string
  readonly state: 'running' | 'decided' | 'completed' | 'failed'
  readonly trigger: Trigger
  readonly version: number | null
  readonly verdict: string | null
  readonly failure: unknown
}

export interface Version {
  readonly version: number
  readonly parent: number | null
  readonly state: string
  readonly champion: boolean
  readonly dataset: { readonly sha256: string; readonly trainEnd: number; readonly evaluation: Window }
  readonly decision: { readonly window: Window } | null
  readonly servedBy: readonly string[]
  readonly shadow: {
    readonly champion: number
    readonly ended: { readonly reason: string; readonly evidence: Trigger['evidence'] } | null
  } | null
}

export interface Model {
  readonly champion: { readonly version: number } | null
  readonly trigger: {
    readonly readings: number
    readonly readingsTotal: number
    readonly dueAt: number
    readonly lastTrainingAt: number | null
    readonly blocked: string | null
  }
  readonly run: { readonly run: string } | null
  readonly shadow: {
    readonly version: number
    readonly champion: number
    readonly days: number
    readonly evidence: number
    readonly needed: number
  } | null
}

export interface Agent {
  readonly agent: string
  readonly presence: string
  readonly rootVersion: number | null
  readonly models: readonly {
    readonly model: string
    readonly version: number | null
    readonly phase: string
    readonly pinned: boolean
    readonly shadow: { readonly version: number; readonly state: string } | null
  }[]
}

export interface AuditEvent {
  readonly seq: number
  readonly kind: string
  readonly event: Readonly<Record<string, unknown>>
  readonly previousHash: string
  readonly hash: string
}

export interface Api {
  readonly url: string
  /** Any other path. */
  readonly get: <View>(path: string) => Promise<View>
  readonly agents: () => Promise<readonly Agent[]>
  /** Throws where there is no such model. */
  readonly model: (name: string) => Promise<Model>
  /** Oldest first. */
  readonly versions: (model: string) => Promise<readonly Version[]>
  /** Latest first. */
  readonly rounds: () => Promise<readonly Round[]>
  /** Oldest first, all of them. */
  readonly audit: () => Promise<readonly AuditEvent[]>
}

/** `dataDir`: where the control centre has left the token for whoever may read it. */
export const createApi = (url: string, dataDir: string): Api => {
  const ask = createAsk(url, dataDir)
  const get = <View>(path: string): Promise<View> => askFor(ask, path)
  return {
    url,
    get,
    agents: () => get('agents'),
    model: (name) => get(`models/${name}`),
    versions: (model) => get(`models/${model}/versions`),
    rounds: () => get('triggers?limit=500'),
    audit: async () => (await get<AuditEvent[]>('audit?limit=5000')).toReversed(),
  }
}
