/** `imlma root add`, `set`, `rotate`, `revoke`: the next trust root, signed by the holders of the old and of the new. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { RootChange } from '../../trust/root-change.ts'
import type { Arguments, Command, Context, Outcome } from '../command.ts'
import { parsePaths, parseRole, parseSchemes, parseThreshold, parseValidity } from './root-options.ts'
import { settleProposal } from './root-proposal.ts'

const signing = [
  { flags: '--key <files>', about: 'key files of root holders (default: the site’s own root key)' },
  { flags: '--out <file>', about: 'where it waits while root holders have still to sign' },
] as const

export const rootAddCommand: Command = {
  name: 'root add',
  summary: 'give a role to one more person: release, director and root holders act for the whole site',
  options: [
    { flags: '--role <role>', about: 'root, release, director, technician or agent', required: true },
    { flags: '--of <file>', about: 'key file of the person, or its public half', required: true },
    ...signing,
  ],
  example: 'imlma root add --role release --of ada.key --key root.key',
  run: async (context, { options }) => {
    const role = parseRole(options.role)
    if (!role.ok) return role
    const key = await context.roots.publicKey(String(options.of))
    return propose(context, options, { kind: 'add', role: role.value, key })
  },
}

export const rootSetCommand: Command = {
  name: 'root set',
  summary: 'change how many people a role takes, what it signs with, or how long the root counts',
  options: [
    { flags: '--role <role>', about: 'whose threshold or scheme is set' },
    { flags: '--threshold <n>', about: 'people it takes; too few holders are refused' },
    {
      flags: '--group-threshold <n>',
      about: 'role technician: people it takes to command more than one gateway',
    },
    {
      flags: '--scheme <scheme>',
      about:
        'ed25519, or ed25519+ml-dsa-65: what one of them alone has signed is then refused, also what was released before and has to be fetched',
    },
    { flags: '--valid <days>', about: 'from now; after that, gateways take nothing new' },
    ...signing,
  ],
  example: 'imlma root set --role technician --group-threshold 3 --valid 1825',
  run: async (context, { options }) => {
    const change = parseSet(options, context.now())
    return change.ok ? propose(context, options, change.value) : change
  },
}

export const rootRotateCommand: Command = {
  name: 'root rotate',
  summary: 'replace a key of a role; gateways that were away follow when they come back',
  options: [
    { flags: '--role <role>', about: 'root, release, director, technician or agent', required: true },
    { flags: '--old <keyid>', about: 'which key leaves; may be left out where the role has one' },
    { flags: '--new <file>', about: 'the new key (default: made in the data directory)' },
    ...signing,
  ],
  example: 'imlma root rotate --role director',
  run: async (context, { options }) => {
    const role = parseRole(options.role)
    if (!role.ok) return role
    const { roots, settings } = context
    const root = await roots.read(settings.dataDir)
    const { keyids } = root.roles[role.value]
    const old = findKeyId(keyids, options.old)
    if (!old.ok) return old
    const given = typeof options.new === 'string' ? options.new : undefined
    const key =
      given === undefined
        ? await roots.makeKey(settings.dataDir, role.value, root)
        : await roots.publicKey(given)
    const outcome = await propose(context, options, { kind: 'rotate', role: role.value, old: old.value, key })
    if (!outcome.ok || !(role.value in consequences)) return outcome
    return accept({ ...outcome.value, text: `${outcome.value.text}\n${consequences[role.value]}` })
  },
}

const consequences: Readonly<Record<string, string>> = {
  release:
    'versions signed with the old key serve on where they are; a gateway that has still to fetch one gets none until the new key has released it',
  director:
    'the gateways’ counters of assignments begin anew with the new key; the old key says nothing any more',
  agent: 'gateways are certified anew when they renew; what the old key certified is no longer believed',
}

export const rootRevokeCommand: Command = {
  name: 'root revoke',
  summary: 'take a key out of every role: what it signs is refused wherever the next root has arrived',
  words: [{ name: 'keyid', about: 'the key, or the beginning of its id (imlma root show)' }],
  options: [...signing],
  example: 'imlma root revoke 3fa85f64ab12',
  run: async (context, { words, options }) => {
    const root = await context.roots.read(context.settings.dataDir)
    const keyid = findKeyId(Object.keys(root.keys), words[0])
    return keyid.ok ? propose(context, options, { kind: 'revoke', keyid: keyid.value }) : keyid
  },
}

const propose = async (
  context: Context,
  options: Arguments['options'],
  change: RootChange,
): Promise<Result<Outcome>> => {
  const proposal = await context.roots.propose(context.settings.dataDir, change, {
    keyPaths: parsePaths(options.key),
    out: typeof options.out === 'string' ? options.out : undefined,
  })
  return proposal.ok ? settleProposal(context, proposal.value) : proposal
}

/** Twelve characters name a key beyond doubt, and are what `root show` prints. */
const findKeyId = (keyids: readonly string[], given: string | boolean | undefined): Result<string> => {
  const [only] = keyids
  if (given === undefined && only !== undefined && keyids.length === 1) return accept(only)
  const found =
    typeof given === 'string' && given.length >= 8 ? keyids.filter((keyid) => keyid.startsWith(given)) : []
  const [match] = found
  return match !== undefined && found.length === 1
    ? accept(match)
    : refuse(
        'USAGE',
        `which key? ${String(given ?? '')}`,
        'at least 8 characters of a key id: imlma root show',
      )
}

const parseSet = (options: Arguments['options'], now: number): Result<RootChange> => {
  const schemes = parseSchemes(options.scheme)
  if (!schemes.ok) return schemes
  const terms: { threshold?: number; groupThreshold?: number } = {}
  for (const name of ['threshold', 'groupThreshold'] as const) {
    if (options[name] === undefined) continue
    const count = parseThreshold(options[name])
    if (!count.ok) return count
    terms[name] = count.value
  }
  const validity = options.valid === undefined ? accept(undefined) : parseValidity(options.valid)
  if (!validity.ok) return validity
  const expiry = validity.value === undefined ? {} : { expiresAt: now + validity.value }
  const all = { ...terms, ...(schemes.value === undefined ? {} : { schemes: schemes.value }) }
  if (Object.keys(all).length === 0) {
    return validity.value === undefined
      ? refuse(
          'USAGE',
          'what is to be set?',
          '--valid, or --role with --threshold, --group-threshold, --scheme',
        )
      : accept({ kind: 'set', ...expiry })
  }
  const role = parseRole(options.role)
  return role.ok ? accept({ kind: 'set', role: role.value, terms: all, ...expiry }) : role
}
