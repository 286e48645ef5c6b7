/** The whole HTTP side of the control centre: API, OpenAPI document, metrics and the page, behind one front door. */

import { OpenAPIHono } from '@hono/zod-openapi'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { secureHeaders } from 'hono/secure-headers'
import type { Hono } from 'hono'
import { limits } from '@imlma/protocol/limits'
import { createAccess, guard, isUpload, type AccessEnv, type AccessOptions } from './access.http.ts'
import type { Assets } from './assets.ts'
import type { Control } from './control.ts'
import { createMetrics } from './metrics.prom.ts'
import type { People } from './people/people.ts'
import { failureProblem, problem } from './problem.http.ts'
import { addCommandRoutes } from './routes/commands.http.ts'
import { addEventRoutes, type EventStreamOptions } from './routes/events.http.ts'
import { addFleetRoutes } from './routes/fleet.http.ts'
import { addHistoryRoutes } from './routes/history.http.ts'
import { addModelRoutes } from './routes/models.http.ts'
import { addPeopleRoutes } from './routes/people.http.ts'
import { addRegistrationRoutes } from './routes/registrations.http.ts'
import { addSessionRoutes } from './routes/session.http.ts'
import { addTrustRoutes } from './routes/trust.http.ts'

export interface AppParts {
  readonly control: Control
  readonly assets: Assets
  readonly people: People
  readonly now: () => number
  /** What went wrong inside; people get a problem without details. */
  readonly onError?: (error: unknown) => void
}

export interface AppOptions extends AccessOptions {
  readonly version: string
  readonly events?: EventStreamOptions
}

/** A trust root with its signatures in base64 is the largest body there is. */
const bodyBytesMax = limits.envelopeBytesMax

export const createApp = (parts: AppParts, options: AppOptions): Hono<AccessEnv> => {
  const { control, assets, people, onError } = parts
  const app = new OpenAPIHono<AccessEnv>()
  const metrics = createMetrics(control)

  app.onError((error, c) => {
    if (error instanceof HTTPException && error.status < 500) {
      return problem(c, 400, {
        code: 'MALFORMED',
        message: error.message,
        hint: 'the body must be JSON in UTF-8',
      })
    }
    onError?.(error)
    return failureProblem(c, error)
  })
  app.notFound((c) =>
    problem(c, 404, {
      code: 'UNKNOWN_PATH',
      message: `there is nothing at ${c.req.path}`,
      hint: 'the API is described at /api/openapi.json',
    }),
  )
  app.use(securityHeaders(assets.importMapHash, options.secure === true))
  // A state changes from one moment to the next, and is nobody else's; assets say otherwise of themselves.
  app.use(async (c, next) => {
    await next()
    if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store')
  })
  app.use(createAccess(people, options))
  const limitBody = bodyLimit({
    maxSize: bodyBytesMax,
    onError: (c) =>
      problem(c, 413, { code: 'TOO_LARGE', message: `a body has at most ${bodyBytesMax} bytes` }),
  })
  // A file that is uploaded is not held in memory, and has a bound of its own.
  app.use((c, next) => (isUpload(c.req) ? next() : limitBody(c, next)))

  app.route('/api/v1', createApi(parts, options))
  app.use('/api/openapi.json', guard('viewer'))
  app.doc31('/api/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'IMLMA',
      version: options.version,
      description: 'The control centre: agents, models, versions and everything that happened to them.',
    },
  })
  app.get('/metrics', guard('metrics'), async (c) =>
    c.text(await metrics.read(), 200, { 'content-type': metrics.contentType }),
  )
  app.get('*', async (c, next) => {
    const asset = await assets.find(c.req.path)
    if (asset === undefined) return next()
    if (c.req.header('if-none-match') === asset.etag) return c.body(null, 304, { etag: asset.etag })
    return c.body(asset.content, 200, {
      'content-type': asset.mediaType,
      etag: asset.etag,
      'cache-control': 'no-cache',
    })
  })
  return app
}

const createApi = (
  { control, people, now }: AppParts,
  { events, secure = false }: AppOptions,
): OpenAPIHono<AccessEnv> => {
  const api = new OpenAPIHono<AccessEnv>({
    defaultHook: (result, c) => {
      if (result.success) return undefined
      const said = result.error.issues.map(
        ({ path, message }) => `${path.join('.') || result.target}: ${message}`,
      )
      return problem(c, 400, {
        code: 'MALFORMED',
        message: said.slice(0, 5).join('; '),
        hint: 'the API is described at /api/openapi.json',
      })
    },
  })
  api.onError((error) => {
    throw error
  })
  addFleetRoutes(api, control)
  addModelRoutes(api, control)
  addRegistrationRoutes(api, control)
  addHistoryRoutes(api, control)
  addEventRoutes(api, control, people, events)
  addTrustRoutes(api, control)
  addCommandRoutes(api, control)
  addSessionRoutes(api, people, secure)
  addPeopleRoutes(api, people, now)
  return api
}

/** Nothing from anywhere else: the page's own files, and its one inline script by its hash. */
const securityHeaders = (importMapHash: string, secure: boolean) =>
  secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'", `'sha256-${importMapHash}'`],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
    crossOriginOpenerPolicy: 'same-origin',
    crossOriginResourcePolicy: 'same-origin',
    referrerPolicy: 'no-referrer',
    xFrameOptions: 'DENY',
    // Nothing of a browser's devices is of use here.
    permissionsPolicy: {
      camera: [],
      microphone: [],
      geolocation: [],
      payment: [],
      usb: [],
      serial: [],
      displayCapture: [],
    },
    // On plain HTTP on loopback a promise of TLS would lock the operator out.
    strictTransportSecurity: secure ? 'max-age=31536000' : false,
  })
