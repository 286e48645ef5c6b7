/** Who is looking? Shows the login, or the choice of a first password, until somebody is there. */

import type { SelfView } from '../../api/views.ts'
import { session } from './client.ts'
import { h, replace } from './dom.ts'
import { field, form } from './forms.ts'
import { element } from './header.ts'

/** As the API has it; asked again there. */
const passwordLengthMin = 12

/** Resolves with whoever is logged in. */
export const awaitLogin = async (): Promise<SelfView> => {
  const secret = takeSecret()
  const known = secret === undefined ? await session.self() : undefined
  if (known !== undefined) return known
  document.body.classList.add('locked')
  const panel = element('login')
  panel.hidden = false
  const self = await new Promise<SelfView>((resolve) => {
    replace(panel, secret === undefined ? loginForm(resolve) : setupForm(secret, resolve))
    panel.querySelector('input')?.focus()
  })
  panel.hidden = true
  replace(panel)
  document.body.classList.remove('locked')
  return self
}

/** The one-time secret of the address, which is taken out of it at once: a history is no place for it. */
const takeSecret = (): string | undefined => {
  const [, secret] = /^#setup=([\w-]{1,200})$/.exec(location.hash) ?? []
  if (secret !== undefined) history.replaceState(null, '', location.pathname)
  return secret
}

const loginForm = (onDone: (self: SelfView) => void) => {
  const name = h('input', {
    id: 'login-name',
    name: 'username',
    autocomplete: 'username',
    autocapitalize: 'none',
    required: true,
    maxlength: 64,
  })
  const password = newPassword('login-password', 'current-password')
  return form(
    { id: 'login-form' },
    'Log in',
    [h('h2', {}, 'Log in'), field('Name', name), field('Password', password)],
    async () => {
      try {
        onDone(await session.logIn(name.value, password.value))
      } finally {
        password.value = ''
      }
    },
  )
}

const setupForm = (secret: string, onDone: (self: SelfView) => void) => {
  const password = newPassword('setup-password', 'new-password')
  const again = newPassword('setup-again', 'new-password')
  return form(
    { id: 'setup-form' },
    'Choose it and log in',
    [
      h('h2', {}, 'Choose your password'),
      h('p', { class: 'muted' }, 'This link is good for one use. Nobody but you learns the password.'),
      field('Password', password, `At least ${passwordLengthMin} characters; a few words are good.`),
      field('The same again', again),
    ],
    async () => {
      if (password.value !== again.value) throw new Error('the two are not the same')
      const { name } = await session.setUp(secret, password.value)
      onDone(await session.logIn(name, password.value))
    },
  )
}

export const newPassword = (id: string, autocomplete: 'current-password' | 'new-password') =>
  h('input', {
    id,
    type: 'password',
    autocomplete,
    required: true,
    maxlength: 256,
    minlength: autocomplete === 'new-password' ? passwordLengthMin : null,
  })
