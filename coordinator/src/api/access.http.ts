/**
 * Who may ask what: the one front door. It says who is asking (`Authorization: Bearer` of a machine, or the session
 * cookie of a person); each route names the role it asks for, and `guard` holds the two together before anything of the
 * request is parsed.
 *
 * A change must not come from a foreign page. A page elsewhere can send a form or, by DNS rebinding, a request under its
 * own name; the browser adds the cookie by itself. Hence four things, each enough alone: the cookie is SameSite=Strict;
 * Origin and Sec-Fetch-Site must be our own; with a cookie, a header of our own must be there, which no form can send
 * and no script of another origin without being asked first (nobody answers that question); the body must be JSON, or a
 * file put in its place.
 */

import type { Context, MiddlewareHandler } from 'hono'
import { getCookie } from 'hono/cookie'
import type { People } from './people/people.ts'
import { mayAccess, type Access, type Principal } from './people/roles.ts'
import { problem, statusOf } from './problem.http.ts'

export interface AccessOptions {
  /** True where the server listens on loopback only: then a foreign Host is an attack for reading, too. */
  readonly loopbackOnly: boolean
  /** Behind TLS, cookies travel over TLS only. */
  readonly secure?: boolean
}

export interface AccessEnv {
  Variables: { principal: Principal | undefined; address: string }
}

/** The header that the page sends with every change. */
const pageHeader = 'x-imlma-page'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])
const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]'])

export const createAccess = (
  people: Pick<People, 'bySession' | 'byToken'>,
  { loopbackOnly, secure = false }: AccessOptions,
): MiddlewareHandler<AccessEnv> => {
  return async (c, next) => {
    const changes = !safeMethods.has(c.req.method)
    if (loopbackOnly && !isLoopbackHost(hostOf(c))) {
      return problem(c, 403, {
        code: 'FOREIGN_HOST',
        message: `requests to ${hostOf(c)} are not answered`,
        hint: 'use http://127.0.0.1 or http://localhost on the machine of the control centre',
      })
    }
    const address = toNetwork(remoteAddressOf(c))
    c.set('address', address)
    c.set('principal', undefined)
    const bearer = c.req.header('authorization')
    if (bearer !== undefined) {
      // A token that is wrong is never made good by a cookie that happens to be there.
      const token = /^Bearer ([\w-]{1,200})$/.exec(bearer)?.[1] ?? ''
      const proven = people.byToken(token, address)
      if (!proven.ok) return refused(c, statusOf(proven.refusal.code), proven.refusal)
      c.set('principal', proven.value)
    } else {
      const secret = getCookie(c, sessionCookie(c, secure))
      if (secret !== undefined) c.set('principal', people.bySession(secret))
    }
    if (changes) {
      const objection = objectionTo(c, bearer === undefined)
      if (objection !== undefined) return objection
    }
    return next()
  }
}

/** Lets nobody pass who lacks the role: 401 without a login, 403 with too low a one. */
export const guard =
  (access: Access): MiddlewareHandler<AccessEnv> =>
  async (c, next) => {
    const principal = c.get('principal')
    if (mayAccess(principal, access)) return next()
    if (principal === undefined) {
      return refused(c, 401, {
        code: 'LOGIN_NEEDED',
        message: 'nobody is logged in',
        hint: 'log in on the page, or send a token: Authorization: Bearer …',
      })
    }
    return problem(c, 403, {
      code: 'NOT_AUTHORISED',
      message: `${principal.name} may not do this: it needs the role ${access}`,
      hint: 'an administrator gives roles and makes tokens',
    })
  }

/**
 * The cookie's name: cookies know no ports, so two control centres on one machine need two names. Over TLS the prefix
 * makes the browser hold it to this host, this path and TLS (RFC 6265bis, "Cookie Name Prefixes").
 */
export const sessionCookie = (c: Context, secure: boolean): string => {
  const port = /:(\d{1,5})$/.exec(hostOf(c))?.[1] ?? 'session'
  return secure ? `__Host-imlma-${port}` : `imlma-${port}`
}

const refused = (c: Context, status: ReturnType<typeof statusOf>, refusal: Parameters<typeof problem>[2]) => {
  if (status === 401) c.header('www-authenticate', 'Bearer realm="imlma"')
  return problem(c, status, refusal)
}

const objectionTo = (c: Context<AccessEnv>, fromBrowser: boolean): Response | undefined => {
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
  if (fromBrowser && c.get('principal') !== undefined && c.req.header(pageHeader) === undefined) {
    return problem(c, 403, {
      code: 'NOT_THE_PAGE',
      message: `a change by cookie needs the header ${pageHeader}`,
      hint: 'programs use a token instead of a cookie: imlma tokens new',
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

/** One household of IPv6 is a /64: its 2^64 addresses count as one. */
const toNetwork = (address: string | undefined): string => {
  if (address === undefined) return 'inside'
  const bare = address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '')
  if (!bare.includes(':') || bare === '::1') return bare
  const [head = '', tail] = bare.split('::')
  const groups = head.split(':').filter((group) => group !== '')
  const missing =
    tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter((group) => group !== '').length
  const full = [
    ...groups,
    ...Array.from({ length: Math.max(0, missing) }, () => '0'),
    ...(tail ?? '').split(':'),
  ]
  return `${full.slice(0, 4).join(':')}::/64`
}
