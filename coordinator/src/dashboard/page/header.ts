/** The line on top: which site, how many agents, how old the readings are, whether the page is live, what is wrong. */

import { h, replace } from './dom.ts'
import { toDayAndClock } from './format.ts'
import { state } from './state.ts'

export const element = (id: string): HTMLElement => {
  const found = document.querySelector<HTMLElement>(`#${id}`)
  if (found === null) throw new Error(`the page has no element ${id}`)
  return found
}

export const showTrouble = (error: unknown): void => {
  const trouble = element('trouble')
  trouble.hidden = error === undefined
  trouble.textContent =
    error === undefined
      ? ''
      : `▲ Figures may be old: ${error instanceof Error ? error.message : 'an unknown error'}. Trying again.`
}

export const renderHeader = () => {
  const { health } = state
  if (health === undefined) return
  element('site').textContent = health.site
  document.title = `IMLMA ${health.site}`
  const { readingsAt, status, problems } = health
  const online = state.agents.filter(({ presence }) => presence === 'online').length
  const readings = readingsAt === null ? 'no readings yet' : `readings up to ${toDayAndClock(readingsAt)}`
  replace(
    element('clock'),
    h('span', {}, `${online} of ${state.agents.length} agents online`),
    h('span', {}, readings),
    status === 'ok' ? null : h('span', { class: 'act' }, `▲ ${problems.join('; ')}`),
  )
}

export const renderModelPicker = () => {
  const picker = element('model') as HTMLSelectElement
  element('model-picker').hidden = state.models.length < 2
  replace(
    picker,
    state.models.map(({ model }) => h('option', { value: model, selected: model === state.model }, model)),
  )
}

/** Says whether the page is live. */
export const sayConnection = (words: string, tone: string) => {
  const connection = element('connection')
  connection.textContent = words
  connection.className = tone
}
