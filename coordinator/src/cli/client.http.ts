/** The API as the command line asks it. */

import { z } from 'zod'
import { Failure } from '@imlma/protocol/result'
import type { Envelope } from '@imlma/protocol/trust'
import {
  agentViewSchema,
  chainViewSchema,
  comparisonViewSchema,
  healthViewSchema,
  invitationViewSchema,
  lineageViewSchema,
  livenessViewSchema,
  madeTokenViewSchema,
  modelViewSchema,
  roundViewSchema,
  tokenViewSchema,
  userViewSchema,
  versionViewSchema,
  type AgentView,
  type ChainView,
  type ComparisonView,
  type HealthView,
  type InvitationView,
  type LineageView,
  type MadeTokenView,
  type ModelView,
  type RoundView,
  type TokenView,
  type UserView,
  type VersionView,
} from '../api/views.ts'
import { bomViewSchema, type BomView } from '../api/bom.ts'
import type { Scope, UserRole } from '../api/people/roles.ts'

export interface ApiClient {
  readonly health: () => Promise<HealthView>
  readonly agents: () => Promise<readonly AgentView[]>
  readonly models: () => Promise<readonly ModelView[]>
  readonly versions: (model: string) => Promise<readonly VersionView[]>
  readonly compare: (model: string, a: number, b: number) => Promise<ComparisonView>
  readonly lineage: (model: string, version: number) => Promise<LineageView>
  readonly bom: (model: string, version: number) => Promise<BomView>
  readonly verify: () => Promise<ChainView>
  readonly retrain: (model: string, reason: string) => Promise<{ run: string }>
  /** Latest first. */
  readonly rounds: (limit: number) => Promise<readonly RoundView[]>
  readonly upload: (sha256: string, bytes: Uint8Array) => Promise<{ bytes: number }>
  readonly register: (
    model: string,
    request: { readonly artifact: string; readonly contract: object; readonly note: string },
  ) => Promise<{ run: string; waitsFor: number }>
  readonly submitRoot: (envelope: Envelope) => Promise<{ version: number }>
  readonly users: () => Promise<readonly UserView[]>
  readonly addUser: (name: string, role: UserRole) => Promise<InvitationView>
  readonly resetUser: (name: string) => Promise<InvitationView>
  readonly setRole: (name: string, role: UserRole) => Promise<UserView>
  readonly setDisabled: (name: string, disabled: boolean) => Promise<UserView>
  readonly tokens: () => Promise<readonly TokenView[]>
  readonly makeToken: (wish: {
    name: string
    scopes: readonly Scope[]
    days: number
  }) => Promise<MadeTokenView>
  readonly revokeToken: (id: string) => Promise<TokenView>
}

export interface ApiClientOptions {
  readonly timeoutMs?: number
  /** Sent with every question … */
  readonly token?: string | undefined
  /** … but with those about users and tokens, where there is another one. */
  readonly administratorToken?: string | undefined
}

const registeredSchema = z.object({ run: z.string(), waitsFor: z.number() })

/** A file of a hundred megabytes is sent, written and looked at within this. */
const fileTimeoutMs = 300_000

const problemSchema = z.object({ code: z.string(), detail: z.string(), hint: z.string().optional() })

/** Every call throws `Failure`: UNREACHABLE, UNEXPECTED_ANSWER, or the code of the API's problem. */
export const createApiClient = (
  url: string,
  { timeoutMs = 15_000, token, administratorToken = token }: ApiClientOptions = {},
): ApiClient => {
  const ask = async <View>(
    schema: z.ZodType<View>,
    path: string,
    body?: unknown,
    patienceMs = timeoutMs,
  ): Promise<View> => {
    const proof = /^(?:users|tokens)\b/.test(path) ? administratorToken : token
    const response = await send(new URL(`/api/v1/${path}`, url), body, patienceMs, proof)
    const text = await response.text()
    if (!response.ok) throw toFailure(response.status, text)
    const parsed = schema.safeParse(toJson(text))
    if (parsed.success) return parsed.data
    throw new Failure(
      'UNEXPECTED_ANSWER',
      `${url} answered in an unknown form: ${parsed.error.issues[0]?.message}`,
      {
        hint: 'is it an IMLMA control centre of the same version?',
      },
    )
  }
  const of = (model: string) => `models/${encodeURIComponent(model)}`
  const ofUser = (name: string) => `users/${encodeURIComponent(name)}`
  return {
    health: async () => {
      const answer = await ask(z.union([healthViewSchema, livenessViewSchema]), 'health')
      if ('site' in answer) return answer
      throw new Failure('LOGIN_NEEDED', `${url} tells nothing to somebody whom it does not know`, {
        hint: 'give a token with --token or IMLMA_TOKEN, or the data directory with --data-dir',
      })
    },
    agents: () => ask(z.array(agentViewSchema), 'agents'),
    models: () => ask(z.array(modelViewSchema), 'models'),
    versions: (model) => ask(z.array(versionViewSchema), `${of(model)}/versions`),
    compare: (model, a, b) => ask(comparisonViewSchema, `${of(model)}/compare?a=${a}&b=${b}`),
    lineage: (model, version) => ask(lineageViewSchema, `${of(model)}/versions/${version}/lineage`),
    bom: (model, version) => ask(bomViewSchema, `${of(model)}/versions/${version}/bom`),
    verify: () => ask(chainViewSchema, 'audit/verify'),
    retrain: (model, reason) => ask(z.object({ run: z.string() }), `${of(model)}/retrain`, { reason }),
    rounds: (limit) => ask(z.array(roundViewSchema), `triggers?limit=${limit}`),
    upload: (sha256, bytes) =>
      ask(z.object({ bytes: z.number() }), `uploads/${sha256}`, bytes, fileTimeoutMs),
    register: (model, request) => ask(registeredSchema, `${of(model)}/versions`, request, fileTimeoutMs),
    submitRoot: (envelope) => ask(z.object({ version: z.number() }), 'trust/roots', envelope),
    users: () => ask(z.array(userViewSchema), 'users'),
    addUser: (name, role) => ask(invitationViewSchema, 'users', { name, role }),
    resetUser: (name) => ask(invitationViewSchema, `${ofUser(name)}/reset`, {}),
    setRole: (name, role) => ask(userViewSchema, `${ofUser(name)}/role`, { role }),
    setDisabled: (name, disabled) => ask(userViewSchema, `${ofUser(name)}/disabled`, { disabled }),
    tokens: () => ask(z.array(tokenViewSchema), 'tokens'),
    makeToken: (wish) => ask(madeTokenViewSchema, 'tokens', wish),
    revokeToken: (id) => ask(tokenViewSchema, `tokens/${encodeURIComponent(id)}/revoke`, {}),
  }
}

const send = async (
  url: URL,
  body: unknown,
  timeoutMs: number,
  token: string | undefined,
): Promise<Response> => {
  const proof: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  // A token goes to the address that was asked, and to no other that it may point to.
  const common = { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' } as const
  try {
    if (body === undefined) return await fetch(url, { ...common, headers: proof })
    if (body instanceof Uint8Array) {
      const headers = { ...proof, 'content-type': 'application/octet-stream' }
      return await fetch(url, { ...common, method: 'PUT', headers, body: body as Uint8Array<ArrayBuffer> })
    }
    const headers = { ...proof, 'content-type': 'application/json' }
    return await fetch(url, { ...common, method: 'POST', headers, body: JSON.stringify(body) })
  } catch (cause) {
    throw new Failure('UNREACHABLE', `no control centre answers at ${url.origin}`, {
      cause,
      retryable: true,
      hint: 'start it with `npm start`, or name another one with --url',
    })
  }
}

const toJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const toFailure = (status: number, text: string): Failure => {
  const problem = problemSchema.safeParse(toJson(text))
  if (!problem.success) {
    return new Failure('UNEXPECTED_ANSWER', `the answer was HTTP ${status} without a problem document`, {
      hint: 'is something else listening on that port?',
    })
  }
  const { code, detail, hint } = problem.data
  return new Failure(code, detail, hint === undefined ? {} : { hint })
}
