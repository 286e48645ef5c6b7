/** Who a certificate of a site speaks for: an agent, or a part of the control centre. */

import { isName } from '@imlma/protocol/wire'

export const identityKinds = ['agent', 'coordinator', 'broker', 'gateway', 'api'] as const
export type IdentityKind = (typeof identityKinds)[number]

export interface Identity {
  readonly kind: IdentityKind
  readonly site: string
  readonly name: string
  /** DNS names and addresses under which it is reached; none for one that serves nobody. */
  readonly hosts?: readonly string[]
}

/** The custom name in the certificate; the common name alone does not say agent or coordinator. */
export const toUri = ({ kind, site, name }: Identity): string => `imlma://${site}/${kind}/${name}`

const kindOf = (text: string | undefined): IdentityKind | undefined =>
  identityKinds.find((kind) => kind === text)

export const parseUri = (uri: string): Identity | undefined => {
  const [, site = '', kindText, name = ''] = /^imlma:\/\/([^/]*)\/([^/]*)\/([^/]*)$/.exec(uri) ?? []
  const kind = kindOf(kindText)
  return kind !== undefined && isName(site) && isName(name) ? { kind, site, name } : undefined
}
