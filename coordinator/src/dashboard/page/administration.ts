/** Users and tokens: who may come in, and as what. A secret is shown once, to be handed over. */

import type { TokenView, UserView } from '../../api/views.ts'
import { client } from './client.ts'
import { h, replace } from './dom.ts'
import { button, field, form, openDialog, select } from './forms.ts'
import { toDayAndClock } from './format.ts'

const roles = [
  ['viewer', 'viewer – sees everything'],
  ['operator', 'operator – asks for trainings, hands in orders'],
  ['administrator', 'administrator – lets people in'],
] as const
const tokenScopes = [
  ['metrics', 'metrics – /metrics alone'],
  ['read', 'read – as a viewer'],
  ['operate', 'operate – as an operator'],
  ['administer', 'administer – as an administrator'],
] as const

/** `self` is whoever looks: nobody locks out themselves. */
export const openAdministration = async (self: string): Promise<void> => {
  const users = h('div', { class: 'scroll', id: 'users' })
  const tokens = h('div', { class: 'scroll', id: 'tokens' })
  const secret = h('div', { id: 'secret', role: 'status' })
  const show = (words: string, value: string): void =>
    replace(
      secret,
      h('p', {}, words),
      h('input', { readonly: true, value, 'aria-label': words, id: 'secret-value' }),
    )
  const trouble = (error: unknown): void =>
    replace(secret, h('p', { class: 'act' }, `▲ ${error instanceof Error ? error.message : 'it failed'}`))
  const invited = (name: string, value: string, until: number): void =>
    show(
      `Hand this link to ${name}: it is good for one use, until ${toDayAndClock(until)}, and is not shown again.`,
      `${location.origin}/#setup=${value}`,
    )
  const act = (work: () => Promise<unknown>) => void work().then(reload, trouble)
  const reload = async (): Promise<void> => {
    const [people, machines] = await Promise.all([client.users(), client.tokens()])
    replace(users, userTable(people, self, act, invited))
    replace(tokens, tokenTable(machines, act))
  }
  openDialog(
    'administration',
    'Users and tokens',
    secret,
    h('h3', {}, 'Users'),
    users,
    userForm(async (name, role) => {
      const invitation = await client.addUser(name, role)
      invited(name, invitation.secret, invitation.expiresAt)
      await reload()
    }),
    h('h3', {}, 'Tokens of machines'),
    tokens,
    tokenForm(async (wish) => {
      const made = await client.makeToken(wish)
      show(`The token “${wish.name}”. It is not shown again.`, made.secret)
      await reload()
    }),
  )
  await reload().catch(trouble)
}

type Act = (work: () => Promise<unknown>) => void

const table = (titles: readonly string[], rows: readonly Node[]) =>
  h(
    'table',
    { class: 'rows' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        titles.map((title) => h('th', { scope: 'col' }, title)),
      ),
    ),
    h('tbody', {}, rows),
  )

const userTable = (
  users: readonly UserView[],
  self: string,
  act: Act,
  invited: (name: string, secret: string, until: number) => void,
) =>
  table(
    ['Name', 'Role', 'State', ''],
    users.map(({ name, role, state }) => {
      const choice = select(
        roles.map(([value]) => [value, value]),
        { 'aria-label': `Role of ${name}`, disabled: name === self },
        role,
      )
      choice.addEventListener('change', () => act(() => client.setRole(name, choice.value)))
      const out = state === 'disabled'
      return h(
        'tr',
        { 'data-user': name },
        h('th', { scope: 'row' }, name),
        h('td', {}, choice),
        h('td', { class: state === 'active' ? '' : 'watch' }, state),
        h(
          'td',
          { class: 'buttons' },
          button('New one-time link', () =>
            act(async () => {
              const { secret, expiresAt } = await client.resetUser(name)
              invited(name, secret, expiresAt)
            }),
          ),
          name === self
            ? null
            : button(out ? 'Let in' : 'Lock out', () => act(() => client.setDisabled(name, !out))),
        ),
      )
    }),
  )

const tokenTable = (tokens: readonly TokenView[], act: Act) =>
  tokens.length === 0
    ? h('p', { class: 'muted' }, 'None. A collector of metrics or a pipeline is given one.')
    : table(
        ['Name', 'For', 'State', 'Until', ''],
        tokens.map(({ id, name, scopes, state, expiresAt }) =>
          h(
            'tr',
            { 'data-token': name },
            h('th', { scope: 'row' }, name),
            h('td', {}, scopes.join(', ')),
            h('td', { class: state === 'valid' ? '' : 'muted' }, state),
            h('td', {}, toDayAndClock(expiresAt)),
            h('td', {}, state === 'valid' ? button('Revoke', () => act(() => client.revokeToken(id))) : ''),
          ),
        ),
      )

const userForm = (onSubmit: (name: string, role: string) => Promise<void>) => {
  const name = h('input', {
    id: 'user-name',
    required: true,
    pattern: '[a-z][a-z0-9._\\-]{0,31}',
    title: 'small letters, digits, . _ and -',
    autocomplete: 'off',
  })
  const role = select(roles, { id: 'user-role' })
  return form(
    { class: 'row', id: 'user-form' },
    'Add',
    [field('New user', name), field('Role', role)],
    async () => {
      await onSubmit(name.value, role.value)
      name.value = ''
    },
  )
}

const tokenForm = (onSubmit: (wish: { name: string; scopes: string[]; days: number }) => Promise<void>) => {
  const name = h('input', { id: 'token-name', required: true, maxlength: 64, autocomplete: 'off' })
  const scope = select(tokenScopes, { id: 'token-scope' })
  const days = h('input', { id: 'token-days', type: 'number', min: 1, max: 366, value: 90, required: true })
  return form(
    { class: 'row', id: 'token-form' },
    'Make',
    [field('New token', name), field('For', scope), field('Days', days)],
    async () => {
      await onSubmit({ name: name.value, scopes: [scope.value], days: Number(days.value) })
      name.value = ''
    },
  )
}
