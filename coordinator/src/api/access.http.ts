/**
 * Who may ask what: the one middleware in front of every route. There are no logins yet, so whoever reaches the
 * loopback interface is the operator; logins replace `identify` and nothing else.
 *
 * What changes something must come from this machine and not from a foreign page: a page elsewhere can send a form or,
 * by DNS rebinding, a request under its own name. Hence Host, Origin and Sec-Fetch-Site are all checked, and the body
 * must be JSON, or a file put in its place: neither can be sent by a form, nor by a script without being asked first.
 */

import type { Context, MiddlewareHandler } from 'hono'
import { problem } from './problem.http.ts'

export interface AccessOptions {
  /** True where the server listens on loopback only: then a foreign Host is an attack for reading, too. */
  readonly loopbackOnly: boolean
}

export interface Principal {
  readonly name: string
  readonly may: readonly ('read' | 'operate')[]
}

export interface AccessEnv {
  Variables: { principal: Principal }
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])
const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]'])

export const createAccess = ({ loopbackOnly }: AccessOptions): MiddlewareHandler<AccessEnv> => {
  return async (c, next) => {
    const changes = !safeMethods.has(c.req.method)
    if ((changes || loopbackOnly) && !isLoopbackHost(hostOf(c))) {
      return problem(c, 403, {
        code: 'FOREIGN_HOST',
        message: `requests to ${hostOf(c)} are not answered`,
        hint: 'use http://127.0.0.1 or http://localhost on the machine of the control centre',
      })
    }
    if (changes) {
      const objection = objectionTo(c)
      if (objection !== undefined) return objection
    }
    c.set('principal', identify())
    return next()
  }
}

/** Everybody on loopback is the operator until there are logins. */
const identify = (): Principal => ({ name: 'local operator', may: ['read', 'operate'] })

const objectionTo = (c: Context): Response | undefined => {
  if (!isLoopbackAddress(remoteAddressOf(c))) {
    return problem(c, 403, {
      code: 'NOT_LOOPBACK',
      message: 'changes are taken from this machine only',
      hint: 'run the command on the machine of the control centre, or through an SSH tunnel',
    })
  }
  const origin = c.req.header('origin')
  const site = c.req.header('sec-fetch-site')
  const foreignOrigin = origin !== undefined && !isSameOrigin(origin, hostOf(c))
  if (foreignOrigin || (site !== undefined && site !== 'same-origin' && site !== 'none')) {
    return problem(c, 403, {
      code: 'FOREIGN_ORIGIN',
      message: `a page of another origin (${origin ?? site}) asked for a change`,
      hint: 'use the page of the control centre itself',
    })
  }
  if (isUpload(c.req)) return undefined
  if (!/^application\/(?:[a-z.]+\+)?json\b/i.test(c.req.header('content-type') ?? '')) {
    return problem(c, 415, {
      code: 'NOT_JSON',
      message: 'the body must be JSON',
      hint: 'send the header content-type: application/json',
    })
  }
  return undefined
}

/** The one request whose body is a file: as large as a model may be, and of a type that no form has. */
export const isUpload = (request: Context['req']): boolean =>
  request.method === 'PUT' &&
  request.path.startsWith('/api/v1/uploads/') &&
  request.header('content-type') === 'application/octet-stream'

const hostOf = (c: Context): string => c.req.header('host') ?? new URL(c.req.url).host

const isLoopbackHost = (host: string): boolean => loopbackNames.has(host.replace(/:\d+$/, '').toLowerCase())

const isSameOrigin = (origin: string, host: string): boolean => {
  const parsed = URL.canParse(origin) ? new URL(origin) : undefined
  return parsed?.host.toLowerCase() === host.toLowerCase() && parsed.protocol.startsWith('http')
}

/** Undefined where no socket is behind the request (a call inside the process). */
const remoteAddressOf = (c: Context): string | undefined => {
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined
  return env?.incoming?.socket?.remoteAddress
}

const isLoopbackAddress = (address: string | undefined): boolean =>
  address === undefined || address === '::1' || /^(?:::ffff:)?127\./.test(address)
