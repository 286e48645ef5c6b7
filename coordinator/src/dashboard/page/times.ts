/** Times that stay true while the page is open: relative to now, the exact one on hover. */

import { h } from './dom.ts'
import { toExact, toRelative } from './format.ts'

let offsetMs = 0

/** The control centre's clock decides what now is, not the one of the screen. */
export const setNow = (now: number): void => {
  offsetMs = now - Date.now()
}

export const nowMs = (): number => Date.now() + offsetMs

export const relativeTime = (at: number): HTMLTimeElement =>
  h(
    'time',
    { datetime: new Date(at).toISOString(), title: toExact(at), 'data-at': at },
    toRelative(at, nowMs()),
  )

/** Brings every relative time on the page up to date. */
export const refreshTimes = (): void => {
  for (const element of document.querySelectorAll<HTMLElement>('[data-at]')) {
    const text = toRelative(Number(element.dataset.at), nowMs())
    if (element.textContent !== text) element.textContent = text
  }
}
