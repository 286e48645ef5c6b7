/** Who is logged in, and what that person may do here: each role sees the buttons that it may use. */

import type { SelfView } from '../../api/views.ts'
import { openAdministration } from './administration.ts'
import { session } from './client.ts'
import { h, replace } from './dom.ts'
import { button, field, form, openDialog } from './forms.ts'
import { element } from './header.ts'
import { newPassword } from './login.ts'
import { openRollback } from './rollback.ts'

export const renderAccount = ({ name, role }: SelfView): void => {
  const operates = role === 'operator' || role === 'administrator'
  replace(
    element('account'),
    operates ? button('Sign a rollback', openRollback, { id: 'open-rollback' }) : null,
    role === 'administrator'
      ? button('Users and tokens', () => void openAdministration(name), { id: 'open-administration' })
      : null,
    h('span', { id: 'self' }, h('strong', {}, name), ` ${role ?? ''}`),
    button('Password', openPassword, { id: 'open-password' }),
    button('Log out', () => void session.logOut().finally(() => location.reload()), { id: 'log-out' }),
  )
}

const openPassword = (): void => {
  const current = newPassword('password-current', 'current-password')
  const next = newPassword('password-next', 'new-password')
  openDialog(
    'password',
    'Choose another password',
    form(
      {},
      'Change it',
      [
        field('Password now', current),
        field('New password', next, 'At least 12 characters. Every session of yours ends, this one too.'),
      ],
      async () => {
        await session.changePassword(current.value, next.value)
        location.reload()
      },
    ),
  )
}
