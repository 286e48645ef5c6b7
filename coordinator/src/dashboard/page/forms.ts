/** Fields, dialogs and what they say when something was refused. */

import { h } from './dom.ts'

type Attributes = Parameters<typeof h>[1]

/** A label with its control below it. */
export const field = (label: string, control: HTMLElement, hint = ''): HTMLElement =>
  h('label', { class: 'field' }, h('span', {}, label), control, hint === '' ? null : h('small', {}, hint))

export const button = (
  words: string,
  onClick: () => void,
  attributes: Attributes = {},
): HTMLButtonElement => {
  const element = h('button', { type: 'button', ...attributes }, words)
  element.addEventListener('click', onClick)
  return element
}

export const select = (
  options: readonly (readonly [value: string, words: string])[],
  attributes: Attributes = {},
  chosen?: string,
): HTMLSelectElement =>
  h(
    'select',
    attributes,
    options.map(([value, words]) => h('option', { value, selected: value === chosen }, words)),
  )

/** A form whose answer to sending is shown in it; while it is under way it cannot be sent again. */
export const form = (
  attributes: Attributes,
  submit: string,
  fields: readonly (Node | string)[],
  onSubmit: (say: (words: string) => void) => Promise<void>,
): HTMLFormElement => {
  const said = h('p', { class: 'said', role: 'status' })
  const send = h('button', { type: 'submit', class: 'primary' }, submit)
  const element = h('form', attributes, ...fields, h('p', { class: 'buttons' }, send), said)
  element.addEventListener('submit', (event) => {
    event.preventDefault()
    said.textContent = ''
    said.className = 'said'
    send.disabled = true
    onSubmit((words) => (said.textContent = words))
      .catch((error: unknown) => {
        said.className = 'said act'
        said.textContent = `▲ ${error instanceof Error ? error.message : 'it failed'}`
      })
      .finally(() => (send.disabled = false))
  })
  return element
}

/** Opens a dialog over the page; it is gone, with all that was typed, when it is closed. */
export const openDialog = (id: string, title: string, ...content: readonly Node[]): HTMLDialogElement => {
  const dialog = h(
    'dialog',
    { id, 'aria-labelledby': `${id}-title` },
    h(
      'p',
      { class: 'dialog-head' },
      h('strong', { id: `${id}-title` }, title),
      button('Close', () => dialog.close(), { class: 'close' }),
    ),
    ...content,
  )
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
  return dialog
}
