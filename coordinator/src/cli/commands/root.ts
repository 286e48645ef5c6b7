/** `imlma root show`, `create`, `sign`: who may do what at this site, from the first root on. */

import { accept, refuse } from '@imlma/protocol/result'
import { groupThresholdDefault, personOf, roles, type Role, type TrustRoot } from '@imlma/protocol/trust'
import type { Command } from '../command.ts'
import { printTable, printTime } from '../print.ts'
import { parsePaths, parseRoleTerms, parseSchemes, parseThreshold, parseValidity } from './root-options.ts'
import { settleProposal } from './root-proposal.ts'

/** What each role can do, in the words of `root show`. */
const roleConsequences: Readonly<Record<Role, string>> = {
  root: 'changes who holds every role',
  release: 'says which versions exist: without it, no gateway serves anything new',
  director: 'says which gateway serves which version; cannot invent one',
  technician: 'rolls gateways back, holds them, quarantines versions',
  agent: 'certifies the keys with which gateways sign their readings',
}

export const rootShowCommand: Command = {
  name: 'root show',
  summary: 'who holds which role, how many people it takes, and until when the trust root counts',
  example: 'imlma root show --json',
  run: async ({ roots, settings, now }) => {
    const root = await roots.read(settings.dataDir)
    return accept({ text: printRoot(root, now()), json: toView(root) })
  },
}

const toView = (root: TrustRoot) => ({
  version: root.version,
  expiresAt: root.expiresAt,
  roles: Object.fromEntries(
    roles.map((role) => {
      const { keyids, threshold, schemes = ['ed25519'], groupThreshold } = root.roles[role]
      const holders = keyids.map((keyid) => ({ name: root.keys[keyid]?.name ?? '', keyid }))
      const people = new Set(keyids.map((keyid) => personOf(root, keyid))).size
      const group = role === 'technician' ? { groupThreshold: groupThreshold ?? groupThresholdDefault } : {}
      return [role, { threshold, ...group, people, schemes, holders }]
    }),
  ),
})

const printRoot = (root: TrustRoot, now: number): string => {
  const view = toView(root)
  const table = printTable(
    [{ title: 'ROLE' }, { title: 'TAKES' }, { title: 'SIGNS WITH' }, { title: 'HOLDERS' }],
    Object.entries(view.roles).map(([role, { threshold, groupThreshold, people, schemes, holders }]) => [
      role,
      `${threshold} of ${people}${groupThreshold === undefined ? '' : `, ${groupThreshold} for a group`}`,
      schemes.join(' + '),
      holders.map(({ name, keyid }) => `${name} ${keyid.slice(0, 12)}`).join(', ') || '–',
    ]),
    '',
  )
  const left = root.expiresAt - now
  const soon = 90 * 86_400_000
  const warning =
    left < 0
      ? '\nEXPIRED: gateways take nothing new until a next root is signed (imlma root set --valid DAYS)'
      : left < soon
        ? '\nexpires soon: sign a next root in time (imlma root set --valid DAYS)'
        : ''
  const meaning = roles.map((role) => `${role.padEnd(12)}${roleConsequences[role]}`).join('\n')
  const head = `trust root version ${root.version}, until ${printTime(root.expiresAt)}${warning}`
  return `${head}\n\n${table}\n\n${meaning}\n\nNames are people: two keys of one name count once.`
}

export const rootCreateCommand: Command = {
  name: 'root create',
  summary:
    'make the first trust root of a site with chosen keys; every gateway is born with it, so choose who holds it before the first start',
  options: [
    {
      flags: '--root <files>',
      about: 'key files of the root holders, with commas (default: a new key in the data directory)',
    },
    { flags: '--release <files>', about: 'people who release versions beside the control centre’s own key' },
    { flags: '--technician <files>', about: 'technicians from the first day on' },
    {
      flags: '--threshold <role=n,…>',
      about: 'people it takes, for example root=2,release=2 (default 1 each)',
    },
    { flags: '--group-threshold <n>', about: 'people it takes to command more than one gateway (default 2)' },
    { flags: '--scheme <scheme>', about: 'ed25519 (default) or ed25519+ml-dsa-65: both must then verify' },
    {
      flags: '--valid <days>',
      about: 'after that, gateways take nothing new until a next root (default 3650)',
    },
    { flags: '--out <file>', about: 'where it waits while root holders have still to sign' },
  ],
  example: 'imlma root create --root ada.key,ben.key --threshold root=2 --scheme ed25519+ml-dsa-65',
  run: async (context, { options }) => {
    const schemes = parseSchemes(options.scheme)
    if (!schemes.ok) return schemes
    const terms = parseRoleTerms(options.threshold)
    if (!terms.ok) return terms
    const validity = parseValidity(options.valid ?? '3650')
    if (!validity.ok) return validity
    const group =
      options.groupThreshold === undefined ? accept(undefined) : parseThreshold(options.groupThreshold)
    if (!group.ok) return group
    const { roots, settings, now } = context
    const proposal = await roots.create(settings.dataDir, {
      rootKeys: parsePaths(options.root),
      releaseKeys: parsePaths(options.release),
      technicianKeys: parsePaths(options.technician),
      thresholds: terms.value,
      groupThreshold: group.value,
      schemes: schemes.value ?? ['ed25519'],
      expiresAt: now() + validity.value,
      out: typeof options.out === 'string' ? options.out : undefined,
    })
    return proposal.ok ? settleProposal(context, proposal.value) : proposal
  },
}

export const rootSignCommand: Command = {
  name: 'root sign',
  summary: 'add a root holder’s signature to a proposed trust root; look at it with --show first',
  words: [{ name: 'file', about: 'the proposal (root-N.pending.json)' }],
  options: [
    { flags: '--key <files>', about: 'the root holder’s key file' },
    { flags: '--show', about: 'print what the proposal says, and sign nothing' },
  ],
  example: 'imlma root sign root-3.pending.json --key ben.key',
  run: async (context, { words, options }) => {
    const { roots, settings, now } = context
    const path = words[0] ?? ''
    if (options.show === true) {
      const proposed = await roots.proposed(path)
      return proposed.ok
        ? accept({ text: printRoot(proposed.value, now()), json: toView(proposed.value) })
        : proposed
    }
    const keyPaths = parsePaths(options.key)
    if (keyPaths.length === 0) return refuse('USAGE', 'who signs?', '--key FILE, or --show to look first')
    const proposal = await roots.sign(settings.dataDir, path, keyPaths)
    return proposal.ok ? settleProposal(context, proposal.value) : proposal
  },
}
