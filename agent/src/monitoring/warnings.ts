/**
 * Which windows deserve a warning before anyone looks at a chart: runs that stay over the latency budget, and inputs
 * that clearly moved. One warning per model, version and cause until it is well again.
 */

import type { VersionWindow } from '@imlma/protocol/wire'

/** An alarm without its identity and time. */
export interface Warning {
  readonly model: string
  readonly version: number
  readonly kind: 'latency' | 'drift'
  readonly level: 'watch' | 'act'
  readonly value: number
  readonly limit: number
  readonly evidence: Readonly<Record<string, string | number | boolean | null>>
}

export interface Warnings {
  /** `budgetMs` is the p99 that was signed with the model. */
  readonly look: (window: VersionWindow, budgetMs: number | undefined) => readonly Warning[]
}

interface Options {
  /** Windows in a row over the budget: one slow window is a busy gateway, not a slow model. */
  readonly slowWindowsMin?: number
  /** Runs of a window below which its p99 is a matter of chance. */
  readonly runsMin?: number
  /** Well-behaved windows in a row after which a cause may warn again. */
  readonly wellWindowsMin?: number
}

/** PSI from which an input is acted upon (protocol/drift's band). */
const psiLimit = 0.25

export const createWarnings = ({
  slowWindowsMin = 3,
  runsMin = 20,
  wellWindowsMin = 6,
}: Options = {}): Warnings => {
  const slowWindows = new Map<string, number>()
  /** Causes that were warned of, with the well-behaved windows since. */
  const raised = new Map<string, number>()

  /** True when the cause is to be warned of now. */
  const raise = (cause: string, present: boolean): boolean => {
    const well = raised.get(cause)
    if (present) {
      raised.set(cause, 0)
      return well === undefined
    }
    if (well === undefined) return false
    if (well + 1 >= wellWindowsMin) raised.delete(cause)
    else raised.set(cause, well + 1)
    return false
  }

  const lookAtLatency = (window: VersionWindow, budgetMs: number): readonly Warning[] => {
    const { model, version, runs, latencyMs } = window
    if (latencyMs === null || runs < runsMin) return []
    const cause = `${model}/${version}/latency`
    const slow = latencyMs.p99 > budgetMs ? (slowWindows.get(cause) ?? 0) + 1 : 0
    if (slow === 0) slowWindows.delete(cause)
    else slowWindows.set(cause, slow)
    if (!raise(cause, slow >= slowWindowsMin)) return []
    const evidence = { windows: slow, runs, p50Ms: latencyMs.p50, p95Ms: latencyMs.p95 }
    return [
      { model, version, kind: 'latency', level: 'act', value: latencyMs.p99, limit: budgetMs, evidence },
    ]
  }

  /** One warning names the input that moved most: a drifted load moves all of its lags at once. */
  const lookAtInputs = ({ model, version, inputs }: VersionWindow): readonly Warning[] => {
    const moved = Object.entries(inputs)
      .filter(([, { verdict }]) => verdict === 'act')
      .toSorted(([, a], [, b]) => (b.psi ?? 0) - (a.psi ?? 0))
    const [most] = moved
    if (!raise(`${model}/${version}/drift`, most !== undefined) || most === undefined) return []
    const [input, { psi, rows }] = most
    const evidence = { input, rows, inputsMoved: moved.length, inputs: Object.keys(inputs).length }
    return [{ model, version, kind: 'drift', level: 'act', value: psi ?? 0, limit: psiLimit, evidence }]
  }

  return {
    look: (window, budgetMs) => [
      ...(budgetMs === undefined ? [] : lookAtLatency(window, budgetMs)),
      ...lookAtInputs(window),
    ],
  }
}
