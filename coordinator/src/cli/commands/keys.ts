/** `imlma keys new`, `imlma keys show`: a technician's key, and how the agents learn of it. */

import { accept } from '@imlma/protocol/result'
import type { Command } from '../command.ts'
import { parseSchemes } from './root-options.ts'
import { handOver } from './root-proposal.ts'

export const keysNewCommand: Command = {
  name: 'keys new',
  summary: 'make a technician’s key and have the agents trust it',
  options: [
    { flags: '--out <file>', about: 'where the key goes (default technician.key)' },
    {
      flags: '--name <name>',
      about: 'whose key it is (default technician); two keys of one name count as one person',
    },
    {
      flags: '--scheme <scheme>',
      about: 'ed25519 (default) or ed25519+ml-dsa-65, where the trust root asks for both',
    },
  ],
  example: 'imlma keys new --name "A. Nguyen" --out technician.key',
  run: async (context, { options }) => {
    const { technician, settings } = context
    const path = typeof options.out === 'string' ? options.out : 'technician.key'
    const name = typeof options.name === 'string' ? options.name : 'technician'
    const schemes = parseSchemes(options.scheme)
    if (!schemes.ok) return schemes
    const key = await technician.create(path, name, schemes.value ?? ['ed25519'])
    const enrolled = await technician.enrol(settings.dataDir, key).catch(async (error: unknown) => {
      await technician.discard(path)
      throw error
    })
    if (!enrolled.ok) {
      await technician.discard(path)
      return enrolled
    }
    const { version, envelope } = enrolled.value
    const handed = envelope !== undefined && (await handOver(context, envelope))
    const text = [
      `key         ${path} (keep it: whoever has it can roll back gateways)`,
      `name        ${key.name}`,
      `key id      ${key.keyid}`,
      handed
        ? `trust root  version ${version}, taken by the control centre; agents get it with their next assignment`
        : `trust root  version ${version}, left in ${settings.dataDir}/trust; the control centre takes it at its next look`,
    ].join('\n')
    return accept({ text, json: { path, name: key.name, keyid: key.keyid, rootVersion: version, handed } })
  },
}

export const keysShowCommand: Command = {
  name: 'keys show',
  summary: 'whose key is in a file? (the secret is not shown)',
  words: [{ name: 'file', about: 'the key file' }],
  example: 'imlma keys show technician.key',
  run: async ({ technician }, { words }) => {
    const { role, name, keyid, public: publicKey, companion } = await technician.read(words[0] ?? '')
    const beside =
      companion === undefined ? {} : { companion: { keyid: companion.keyid, public: companion.public } }
    const text = [
      `role        ${role}`,
      `name        ${name}`,
      `key id      ${keyid}`,
      `public key  ${publicKey}`,
      ...(companion === undefined ? [] : [`beside it   ml-dsa-65 ${companion.keyid}`]),
    ]
    return accept({ text: text.join('\n'), json: { role, name, keyid, public: publicKey, ...beside } })
  },
}
