/** `imlma tokens`: what machines come in with. A token is printed once, when it is made. */

import { accept, refuse } from '@imlma/protocol/result'
import { scopes, type Scope } from '../../api/people/roles.ts'
import type { Command } from '../command.ts'
import { printTable, printTime } from '../print.ts'

const daysMax = 366

export const tokensListCommand: Command = {
  name: 'tokens list',
  summary: 'which machines may come in, and for what?',
  example: 'imlma tokens list',
  run: async ({ client }) => {
    const tokens = await client.tokens()
    const columns = ['ID', 'NAME', 'FOR', 'STATE', 'UNTIL', 'MADE BY'].map((title) => ({ title }))
    const rows = tokens.map(({ id, name, scopes: held, state, expiresAt, createdBy }) => [
      id,
      name,
      held.join(','),
      state,
      printTime(expiresAt),
      createdBy,
    ])
    return accept({ text: printTable(columns, rows, 'there are no tokens'), json: tokens })
  },
}

export const tokensNewCommand: Command = {
  name: 'tokens new',
  summary: 'make a token for a machine; it is printed once',
  words: [{ name: 'name', about: 'what it is for' }],
  options: [
    { flags: '--scope <scopes>', about: `${scopes.join(', ')}; several with commas (default read)` },
    { flags: '--days <number>', about: `how long it is good for, up to ${daysMax} (default 90)` },
  ],
  example: 'imlma tokens new prometheus --scope metrics --days 366',
  run: async ({ client }, { words, options }) => {
    const wanted = String(options.scope ?? 'read').split(',')
    const chosen = wanted.map((text) => scopes.find((scope) => scope === text.trim()))
    if (chosen.includes(undefined)) {
      return refuse('USAGE', `${wanted.join(',')} are no scopes`, `scopes are: ${scopes.join(', ')}`)
    }
    const days = Number(options.days ?? 90)
    if (!(days > 0 && days <= daysMax)) {
      return refuse('USAGE', `--days ${String(options.days)} is no time`, `more than 0, up to ${daysMax}`)
    }
    const made = await client.makeToken({ name: words[0] ?? '', scopes: chosen as Scope[], days })
    const { token, secret } = made
    const text = [
      `token  ${secret}`,
      `id     ${token.id}`,
      `for    ${token.scopes.join(', ')} until ${printTime(token.expiresAt)}`,
      '       it is not shown again; send it as the header Authorization: Bearer …, or as IMLMA_TOKEN to imlma',
    ]
    return accept({ text: text.join('\n'), json: made })
  },
}

export const tokensRevokeCommand: Command = {
  name: 'tokens revoke',
  summary: 'make a token useless, at once',
  words: [{ name: 'id', about: 'as imlma tokens list shows it' }],
  example: 'imlma tokens revoke 0a1b2c3d4e5f',
  run: async ({ client }, { words }) => {
    const token = await client.revokeToken(words[0] ?? '')
    return accept({ text: `${token.name} (${token.id}) is ${token.state}`, json: token })
  },
}
