/** `imlma keys new`, `imlma keys show`: a technician's key, and how the agents learn of it. */

import { accept, Failure } from '@imlma/protocol/result'
import type { Command, Context } from '../command.ts'

export const keysNewCommand: Command = {
  name: 'keys new',
  summary: 'make a technician’s key and have the agents trust it',
  options: [
    { flags: '--out <file>', about: 'where the key goes (default technician.key)' },
    { flags: '--name <name>', about: 'whose key it is (default technician)' },
  ],
  example: 'imlma keys new --name "A. Nguyen" --out technician.key',
  run: async (context, { options }) => {
    const { technician, settings } = context
    const path = typeof options.out === 'string' ? options.out : 'technician.key'
    const name = typeof options.name === 'string' ? options.name : 'technician'
    const key = await technician.create(path, name)
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

/** True when the control centre has taken it; where it is stopped, it finds the root in the folder. */
const handOver = async (
  { client, say }: Context,
  envelope: Parameters<Context['client']['submitRoot']>[0],
): Promise<boolean> => {
  try {
    await client.submitRoot(envelope)
    return true
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    say(`the control centre has not taken the root yet (${error.code}: ${error.message})`)
    return false
  }
}

export const keysShowCommand: Command = {
  name: 'keys show',
  summary: 'whose key is in a file? (the secret is not shown)',
  words: [{ name: 'file', about: 'the key file' }],
  example: 'imlma keys show technician.key',
  run: async ({ technician }, { words }) => {
    const { role, name, keyid, public: publicKey } = await technician.read(words[0] ?? '')
    const text = [
      `role        ${role}`,
      `name        ${name}`,
      `key id      ${keyid}`,
      `public key  ${publicKey}`,
    ]
    return accept({ text: text.join('\n'), json: { role, name, keyid, public: publicKey } })
  },
}
