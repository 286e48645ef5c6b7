/** Under which names this control centre is reached: what stands in its certificates and in what it tells gateways. */

import { hostname } from 'node:os'

/** The first is the one that is told. This machine's own tools are always among them. */
export const publicHosts = (host: string, given: readonly string[] = []): readonly string[] => {
  const listening = host === '0.0.0.0' || host === '::' ? hostname() : host
  return [...new Set([...(given.length > 0 ? given : [listening]), 'localhost', '127.0.0.1'])]
}

/** As it stands in a URL: an IPv6 address in brackets. */
export const toUrlHost = (host: string): string => (host.includes(':') ? `[${host}]` : host)
