/** The certificate that API and page are served with: one that was named, or the site's own authority's. */

import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { Failure } from '@imlma/protocol/result'
import { isLoopback, type ServerTls } from '../api/server.http.ts'
import { openTlsMaterial } from '../trust/pki/index.ts'

export interface ApiTlsOptions {
  readonly host: string
  readonly site: string
  /** PEM files, both or none. */
  readonly apiCert?: string | undefined
  readonly apiKey?: string | undefined
  /** Folder of the site's certificate authority. */
  readonly authority: string
}

/**
 * Undefined on loopback without a certificate of its own: plain HTTP, which browsers take for a secure context there.
 * Beyond loopback, the authority's certificate, or TLS_NEEDED from the server where there is none. Throws `Failure`
 * CERTIFICATE_UNREADABLE, and those of `openTlsMaterial`.
 */
export const openApiTls = async (options: ApiTlsOptions): Promise<ServerTls | undefined> => {
  const { host, site, apiCert, apiKey, authority } = options
  if (apiCert !== undefined || apiKey !== undefined) {
    return { cert: await readPem(apiCert, '--api-cert'), key: await readPem(apiKey, '--api-key') }
  }
  if (isLoopback(host)) return undefined
  const hosts = [...new Set([host, hostname(), 'localhost', '127.0.0.1'])].filter(isName)
  try {
    return await openTlsMaterial(authority, { kind: 'api', site, name: 'control', hosts })
  } catch (cause) {
    if (cause instanceof Failure && cause.code === 'PKI_MISSING') return undefined
    throw cause
  }
}

/** An address that means "all of them" is no name of this machine. */
const isName = (host: string): boolean => host !== '0.0.0.0' && host !== '::'

const readPem = async (path: string | undefined, option: string): Promise<string> => {
  const failure = (message: string, cause?: unknown) =>
    new Failure('CERTIFICATE_UNREADABLE', message, {
      cause,
      hint: 'give --api-cert and --api-key together, each a PEM file',
    })
  if (path === undefined) throw failure(`${option} is missing`)
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw failure(`${path} cannot be read`, cause)
  }
}
