/**
 * One declaration a route: path, operationId, whom it is for, what goes in, what comes out. Requests are let in and
 * parsed by it, the handler's answer is typed by it, and the OpenAPI document is made of it, so they cannot drift apart.
 */

import { createRoute, type OpenAPIHono, type RouteConfig } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { z } from 'zod'
import type { Result } from '@imlma/protocol/result'
import { nameSchema, sha256Schema } from './views.ts'
import { guard, type AccessEnv } from './access.http.ts'
import type { Access, Principal } from './people/roles.ts'
import { problem, problemMediaType, problemSchema, statusOf } from './problem.http.ts'

export type Api = OpenAPIHono<AccessEnv>

type Shape = z.ZodObject<Record<string, z.ZodType>>
type Input<Schema extends Shape | undefined> = Schema extends Shape ? z.output<Schema> : undefined

interface Declaration<Params extends Shape | undefined, Query extends Shape | undefined> {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly tag: string
  /** Who may ask. There is no default: a route that forgets it does not compile. */
  readonly role: Access
  readonly params?: Params
  readonly query?: Query
}

interface ReadDeclaration<
  Output extends z.ZodType,
  Params extends Shape | undefined,
  Query extends Shape | undefined,
> extends Declaration<Params, Query> {
  readonly output: Output
  /** A refusal's code decides the status (`statusOf`). */
  readonly answer: (input: {
    readonly params: Input<Params>
    readonly query: Input<Query>
    /** Undefined for somebody whom a public route does not know. */
    readonly principal: Principal | undefined
  }) => Promise<Result<Frozen<z.output<Output>>>>
}

interface CommandDeclaration<
  Output extends z.ZodType,
  Body extends z.ZodType,
  Params extends Shape | undefined,
> extends Declaration<Params, undefined> {
  readonly body: Body
  readonly output: Output
  readonly answer: (input: {
    readonly params: Input<Params>
    readonly body: z.output<Body>
    /** Who asks, for the registry. */
    readonly by: string
    readonly principal: Principal | undefined
    /** From where, as a bounded table of attempts counts it. */
    readonly address: string
    /** For a cookie that goes with the answer. */
    readonly c: Context<AccessEnv>
  }) => Promise<Result<Frozen<z.output<Output>>>>
}

/** Arrays of an answer may be read-only: it is only written out. */
type Frozen<Value> = Value extends (infer Item)[] ? readonly Item[] : Value

/** A route with whom it is for: checked before anything of the request is parsed, and said in the document. */
export const createGuardedRoute = <const Config extends RouteConfig>(role: Access, config: Config) => {
  const guarded: Config = {
    ...config,
    middleware: guard(role),
    'x-imlma-role': role,
    responses: { ...(role === 'public' ? {} : { 401: refusal, 403: refusal }), ...config.responses },
  }
  return createRoute(guarded)
}

/** A GET route that answers with JSON. */
export const declareRead = <
  Output extends z.ZodType,
  Params extends Shape | undefined = undefined,
  Query extends Shape | undefined = undefined,
>(
  api: Api,
  path: string,
  declaration: ReadDeclaration<Output, Params, Query>,
): void => {
  const { params, query, output, role, answer } = declaration
  const route = createGuardedRoute(role, {
    method: 'get',
    path,
    ...describe(declaration),
    request: { ...(params && { params }), ...(query && { query }) },
    responses: { ...jsonResponse(200, output), ...problems(params !== undefined) },
  })
  api.openapi(route, async (c) => {
    const principal = c.get('principal')
    const input = { params: valid(c, 'param', params), query: valid(c, 'query', query), principal }
    return reply(c, 200, await answer(input)) as never
  })
}

/** A POST route with a JSON body; the change is accepted (202) and shows later in the events. */
export const declareCommand = <
  Output extends z.ZodType,
  Body extends z.ZodType,
  Params extends Shape | undefined = undefined,
>(
  api: Api,
  path: string,
  declaration: CommandDeclaration<Output, Body, Params>,
): void => {
  const { params, body, output, role, answer } = declaration
  const route = createGuardedRoute(role, {
    method: 'post',
    path,
    ...describe(declaration),
    request: {
      ...(params && { params }),
      body: { required: true, content: { 'application/json': { schema: body } } },
    },
    responses: {
      ...jsonResponse(202, output),
      ...problems(params !== undefined),
      409: refusal,
    },
  })
  api.openapi(route, async (c) => {
    const principal = c.get('principal')
    const input = {
      params: valid(c, 'param', params),
      body: c.req.valid('json' as never) as z.output<Body>,
      by: principal?.name ?? 'nobody',
      principal,
      address: c.get('address'),
      c: c as Context<AccessEnv>,
    }
    return reply(c, 202, await answer(input)) as never
  })
}

/** Values a path may hold. */
export const modelParams = z.object({ name: nameSchema })
export const numberInPath = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, 'a number from 1 on')
  .transform(Number)
export const versionParams = modelParams.extend({ n: numberInPath })
export const sha256Params = z.object({ sha256: sha256Schema })

/** `?limit=` of a list, newest first. */
export const limitQuery = (usual: number, most: number) =>
  z.object({
    limit: z
      .string()
      .regex(/^[1-9]\d{0,5}$/, 'a number from 1 on')
      .transform(Number)
      .refine((limit) => limit <= most, { message: `at most ${most}` })
      .default(usual)
      .meta({ type: 'integer', minimum: 1, maximum: most, default: usual }),
  })

const describe = ({
  operationId,
  summary,
  description,
  tag,
}: Pick<Declaration<undefined, undefined>, 'operationId' | 'summary' | 'description' | 'tag'>) => ({
  operationId,
  summary,
  description,
  tags: [tag],
})

const jsonResponse = (status: number, schema: z.ZodType) => ({
  [status]: { description: 'As described', content: { 'application/json': { schema } } },
})

const refusal = {
  description: 'Why not, with its code and a hint',
  content: { [problemMediaType]: { schema: problemSchema } },
}

const problems = (named: boolean) => ({ 400: refusal, ...(named ? { 404: refusal } : {}) })

// The validators of this route have run: what they left is of the declared type.
const valid = <Schema extends Shape | undefined>(
  c: Context<AccessEnv>,
  target: 'param' | 'query',
  schema: Schema | undefined,
): Input<Schema> => (schema === undefined ? undefined : c.req.valid(target as never)) as Input<Schema>

const reply = (c: Context, status: 200 | 202, result: Result<unknown>): Response =>
  result.ok ? c.json(result.value, status) : problem(c, statusOf(result.refusal.code), result.refusal)
