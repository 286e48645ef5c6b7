/** Words on the command line about roles, thresholds, schemes and time. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { roles, type KeyScheme, type Role } from '@imlma/protocol/trust'

type Given = string | boolean | undefined

const dayMs = 86_400_000

export const parsePaths = (given: Given): readonly string[] =>
  typeof given === 'string' ? given.split(',').map((path) => path.trim()) : []

export const parseRole = (given: Given): Result<Role> => {
  const role = roles.find((each) => each === given)
  return role === undefined
    ? refuse('USAGE', `${String(given ?? '')} is no role`, `one of ${roles.join(', ')}`)
    : accept(role)
}

/** Undefined where nothing was said. */
export const parseSchemes = (given: Given): Result<readonly KeyScheme[] | undefined> => {
  if (given === undefined) return accept(undefined)
  if (given === 'ed25519') return accept(['ed25519'])
  if (given === 'ed25519+ml-dsa-65') return accept(['ed25519', 'ml-dsa-65'])
  return refuse('USAGE', `${String(given)} is no key scheme`, 'ed25519 or ed25519+ml-dsa-65')
}

/** `root=2,release=2`. */
export const parseRoleTerms = (given: Given): Result<Readonly<Partial<Record<Role, number>>>> => {
  const thresholds: Partial<Record<Role, number>> = {}
  for (const part of parsePaths(given)) {
    const [name, count] = part.split('=')
    const role = parseRole(name)
    if (!role.ok) return role
    const threshold = parseThreshold(count)
    if (!threshold.ok) return threshold
    thresholds[role.value] = threshold.value
  }
  return accept(thresholds)
}

export const parseThreshold = (given: Given): Result<number> => {
  const count = Number(given)
  return Number.isInteger(count) && count >= 1 && count <= 16
    ? accept(count)
    : refuse('USAGE', `${String(given ?? '')} is no number of people`, 'from 1 to 16')
}

/** Days, as milliseconds. */
export const parseValidity = (given: Given): Result<number> => {
  const days = Number(given)
  return Number.isInteger(days) && days >= 1 && days <= 36_500
    ? accept(days * dayMs)
    : refuse('USAGE', `--valid ${String(given)} is no span of time`, 'days from 1 to 36500')
}
