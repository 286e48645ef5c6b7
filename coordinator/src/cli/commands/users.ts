/** `imlma users`: who may come in, and as what. Needs the token of an administrator, or the data directory itself. */

import { accept, refuse } from '@imlma/protocol/result'
import { userRoles, type UserRole } from '../../api/people/roles.ts'
import type { InvitationView, UserView } from '../../api/views.ts'
import type { Command, Context } from '../command.ts'
import { printTable, printTime } from '../print.ts'

const name = { name: 'name', about: 'the user: small letters, digits, . _ and -' } as const

export const usersListCommand: Command = {
  name: 'users list',
  summary: 'who may come in, and as what?',
  example: 'imlma users list',
  run: async ({ client }) => {
    const users = await client.users()
    const columns = ['NAME', 'ROLE', 'STATE', 'SINCE'].map((title) => ({ title }))
    const rows = users.map((user) => [user.name, user.role, user.state, printTime(user.createdAt)])
    return accept({ text: printTable(columns, rows, 'there are no users yet'), json: users })
  },
}

export const usersAddCommand: Command = {
  name: 'users add',
  summary: 'let somebody in: prints a link with which that person chooses a password',
  words: [name],
  options: [{ flags: '--role <role>', about: `${userRoles.join(', ')} (default viewer)` }],
  example: 'imlma users add nguyen --role operator',
  run: async (context, { words, options }) => {
    const role = parseRole(options.role ?? 'viewer')
    if (role === undefined) return noRole(options.role)
    return invited(context, await context.client.addUser(words[0] ?? '', role))
  },
}

export const usersResetCommand: Command = {
  name: 'users reset',
  summary: 'a new link for whoever has forgotten the password; sessions end',
  words: [name],
  example: 'imlma users reset nguyen',
  run: async (context, { words }) => invited(context, await context.client.resetUser(words[0] ?? '')),
}

export const usersRoleCommand: Command = {
  name: 'users role',
  summary: 'give another role; sessions end',
  words: [name, { name: 'role', about: userRoles.join(', ') }],
  example: 'imlma users role nguyen administrator',
  run: async ({ client }, { words }) => {
    const role = parseRole(words[1])
    return role === undefined ? noRole(words[1]) : told(await client.setRole(words[0] ?? '', role))
  },
}

export const usersDisableCommand: Command = {
  name: 'users disable',
  summary: 'lock somebody out, at once',
  words: [name],
  example: 'imlma users disable nguyen',
  run: async ({ client }, { words }) => told(await client.setDisabled(words[0] ?? '', true)),
}

export const usersEnableCommand: Command = {
  name: 'users enable',
  summary: 'let somebody in again',
  words: [name],
  example: 'imlma users enable nguyen',
  run: async ({ client }, { words }) => told(await client.setDisabled(words[0] ?? '', false)),
}

const parseRole = (text: unknown): UserRole | undefined => userRoles.find((role) => role === text)

const noRole = (given: unknown) =>
  refuse('USAGE', `${String(given)} is no role`, `roles are: ${userRoles.join(', ')}`)

const told = (user: UserView) => accept({ text: `${user.name} is ${user.role}, ${user.state}`, json: user })

const invited = ({ settings }: Context, { user, secret, expiresAt }: InvitationView) => {
  const link = `${settings.url.replace(/\/$/, '')}/#setup=${secret}`
  const text = [
    `user   ${user.name}, ${user.role}`,
    `link   ${link}`,
    `       good for one use until ${printTime(expiresAt)}; hand it over where nobody else reads along`,
  ]
  return accept({ text: text.join('\n'), json: { user, link, secret, expiresAt } })
}
