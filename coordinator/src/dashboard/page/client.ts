/** The API as the page asks it. */

import type {
  AgentView,
  AuditEventView,
  ComparisonView,
  ForecastsView,
  HealthView,
  LineageView,
  ModelView,
  RoundView,
  VersionView,
} from '../../api/views.ts'

const get = async <View>(path: string): Promise<View> => {
  const response = await fetch(`/api/v1/${path}`, { headers: { accept: 'application/json' } })
  const body: unknown = await response.json()
  if (response.ok) return body as View
  const { detail = response.statusText, code = String(response.status) } = body as {
    detail?: string
    code?: string
  }
  throw new Error(`${code}: ${detail}`)
}

const name = encodeURIComponent

export const client = {
  health: () => get<HealthView>('health'),
  agents: () => get<AgentView[]>('agents'),
  models: () => get<ModelView[]>('models'),
  versions: (model: string) => get<VersionView[]>(`models/${name(model)}/versions`),
  compare: (model: string, a: number, b: number) =>
    get<ComparisonView>(`models/${name(model)}/compare?a=${a}&b=${b}`),
  lineage: (model: string, version: number) =>
    get<LineageView>(`models/${name(model)}/versions/${version}/lineage`),
  forecasts: (model: string, meter: string | undefined) =>
    get<ForecastsView>(
      `models/${name(model)}/forecasts${meter === undefined ? '' : `?meter=${name(meter)}`}`,
    ),
  rounds: () => get<RoundView[]>('triggers?limit=20'),
  audit: () => get<AuditEventView[]>('audit?limit=200'),
}
