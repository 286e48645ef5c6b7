/** The API as the page asks it, with the session's cookie, which no script can read. */

import type {
  AgentView,
  AuditEventView,
  ComparisonView,
  ForecastsView,
  HealthView,
  InvitationView,
  LineageView,
  MadeTokenView,
  ModelView,
  RoundView,
  SelfView,
  TokenView,
  UserView,
  VersionView,
} from '../../api/views.ts'

/** A refusal in the API's words. */
class Refused extends Error {
  readonly code: string
  constructor(code: string, detail: string, hint: string | undefined) {
    super(hint === undefined ? detail : `${detail} – ${hint}`)
    this.code = code
  }
}

/** The session is over: the page begins again, at the login. */
const beginAgain = (): never => {
  location.reload()
  throw new Refused('LOGIN_NEEDED', 'the session is over', undefined)
}

const answerOf = async <View>(response: Response): Promise<View> => {
  const body: unknown = await response.json()
  if (response.ok) return body as View
  const {
    detail = response.statusText,
    code = String(response.status),
    hint,
  } = body as {
    detail?: string
    code?: string
    hint?: string
  }
  throw new Refused(code, detail, hint)
}

const get = async <View>(path: string): Promise<View> => {
  const response = await fetch(`/api/v1/${path}`, { headers: { accept: 'application/json' } })
  return response.status === 401 ? beginAgain() : answerOf<View>(response)
}

/** The header says that this page asks, and not a form of another one. */
const post = async <View>(path: string, body: object = {}): Promise<View> =>
  answerOf<View>(
    await fetch(`/api/v1/${path}`, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json', 'x-imlma-page': '1' },
      body: JSON.stringify(body),
    }),
  )

const name = encodeURIComponent

export const client = {
  health: async () => {
    const health = await get<HealthView | { status: string }>('health')
    return 'site' in health ? health : beginAgain()
  },
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
  passOn: (envelope: object) => post<{ commandId: string; agents: string[] }>('commands', envelope),
  users: () => get<UserView[]>('users'),
  addUser: (user: string, role: string) => post<InvitationView>('users', { name: user, role }),
  setRole: (user: string, role: string) => post<UserView>(`users/${name(user)}/role`, { role }),
  setDisabled: (user: string, disabled: boolean) =>
    post<UserView>(`users/${name(user)}/disabled`, { disabled }),
  resetUser: (user: string) => post<InvitationView>(`users/${name(user)}/reset`),
  tokens: () => get<TokenView[]>('tokens'),
  makeToken: (wish: { name: string; scopes: string[]; days: number }) => post<MadeTokenView>('tokens', wish),
  revokeToken: (id: string) => post<TokenView>(`tokens/${name(id)}/revoke`),
}

export const session = {
  /** Undefined where nobody is logged in. */
  self: async (): Promise<SelfView | undefined> => {
    const response = await fetch('/api/v1/session', { headers: { accept: 'application/json' } })
    return response.status === 401 ? undefined : answerOf<SelfView>(response)
  },
  logIn: (user: string, password: string) => post<SelfView>('session', { name: user, password }),
  logOut: () => post<object>('session/end'),
  setUp: (secret: string, password: string) => post<{ name: string }>('setup', { secret, password }),
  changePassword: (current: string, next: string) => post<object>('session/password', { current, next }),
}
