/**
 * Who may do what: three roles for people, scopes for machines, and one question about both. A route asks for a role;
 * a person has one, a token has scopes that stand for roles. Each includes the ones below it:
 *
 *   administrator / administer  >  operator / operate  >  viewer / read  >  metrics
 */

export const userRoles = ['viewer', 'operator', 'administrator'] as const
export type UserRole = (typeof userRoles)[number]

/** What a token may be used for; `metrics` is for a collector that must see nothing but `/metrics`. */
export const scopes = ['metrics', 'read', 'operate', 'administer'] as const
export type Scope = (typeof scopes)[number]

/** What a route asks of whoever calls it. */
export type Access = 'public' | 'metrics' | UserRole

export const scopeOf: Readonly<Record<UserRole, Scope>> = {
  viewer: 'read',
  operator: 'operate',
  administrator: 'administer',
}

/** Whoever asks, as far as it is proven. */
export interface Principal {
  /** For the registry: the user's name, or `token:` and the token's. */
  readonly name: string
  readonly kind: 'user' | 'token'
  readonly scopes: readonly Scope[]
  /** The session or token behind it, as it is stored: never the secret itself. */
  readonly key: string
}

export const mayAccess = (principal: Pick<Principal, 'scopes'> | undefined, access: Access): boolean => {
  if (access === 'public') return true
  const needed = scopes.indexOf(access === 'metrics' ? access : scopeOf[access])
  return principal?.scopes.some((scope) => scopes.indexOf(scope) >= needed) ?? false
}

/** The highest role that the scopes stand for; null where they open nothing but the metrics. */
export const roleOf = ({ scopes: held }: Pick<Principal, 'scopes'>): UserRole | null =>
  userRoles.findLast((role) => mayAccess({ scopes: held }, role)) ?? null
