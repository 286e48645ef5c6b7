/** The line to the control centre: events as they happen; the browser itself reconnects and says what it has seen. */

import type { AgentView, AuditEventView, ModelView } from '../../api/views.ts'

export interface LiveListener {
  readonly onConnected: () => void
  readonly onLost: () => void
  /** Too much was missed: load everything again. */
  readonly onReset: () => void
  readonly onAudit: (event: AuditEventView) => void
  readonly onAgent: (agent: AgentView) => void
  readonly onModel: (model: ModelView) => void
  readonly onForecasts: (model: string) => void
}

/** A browser gives up for good on an answer that is no stream; then the page tries again itself. */
const retryMs = 3_000

/** `after` is the last event that the page has loaded. */
export const watchEvents = (after: () => number, listener: LiveListener): void => {
  const source = new EventSource(`/api/v1/events?after=${after()}`)
  const on = (name: string, listen: (message: unknown) => void): void =>
    source.addEventListener(name, ({ data }: MessageEvent<string>) => listen(JSON.parse(data)))
  source.addEventListener('open', listener.onConnected)
  source.addEventListener('error', () => {
    listener.onLost()
    if (source.readyState !== EventSource.CLOSED) return
    source.close()
    setTimeout(() => watchEvents(after, listener), retryMs)
  })
  on('reset', listener.onReset)
  on('audit', (event) => listener.onAudit(event as AuditEventView))
  on('agent', (agent) => listener.onAgent(agent as AgentView))
  on('model', (model) => listener.onModel(model as ModelView))
  on('forecasts', (of) => listener.onForecasts((of as { model: string }).model))
}
