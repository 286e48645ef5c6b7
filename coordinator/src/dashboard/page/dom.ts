/** Elements out of text and attributes. Nothing that comes from outside ever becomes markup: text stays text. */

type Child = Node | string | number | null | undefined | false
type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>

/** An element with attributes (null and false leave one out) and children. */
export const h = <Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly (Child | readonly Child[])[]
): HTMLElementTagNameMap[Tag] => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue
    element.setAttribute(name, value === true ? '' : String(value))
  }
  append(element, children)
  return element
}

/** Puts new children in place of the old ones; focus and scroll positions stay with the elements of the same id. */
export const replace = (parent: Element, ...children: readonly (Child | readonly Child[])[]): void => {
  const active = document.activeElement
  const focused = active !== null && parent.contains(active) ? active.id : ''
  const scrolled = [...parent.querySelectorAll('.scroll[id]')].map(
    ({ id, scrollTop, scrollLeft }) => [id, scrollTop, scrollLeft] as const,
  )
  parent.replaceChildren()
  append(parent, children)
  for (const [id, top, left] of scrolled) document.querySelector(`#${CSS.escape(id)}`)?.scrollTo(left, top)
  if (focused !== '') {
    document.querySelector<HTMLElement>(`#${CSS.escape(focused)}`)?.focus({ preventScroll: true })
  }
}

/** The body of one of the page's sections. */
export const bodyOf = (section: string): Element => {
  const body = document.querySelector(`#${section} > .body`)
  if (body === null) throw new Error(`the page has no section ${section}`)
  return body
}

/** Text that only screen readers say. */
export const spoken = (text: string): HTMLElement => h('span', { class: 'spoken' }, text)

/** What is shown where there is nothing yet: what is missing, and what happens next. */
export const emptyState = (missing: string, next: string): HTMLElement =>
  h('p', { class: 'empty' }, h('strong', {}, missing), ' ', next)

const append = (parent: Element, children: readonly (Child | readonly Child[])[]): void => {
  for (const child of children.flat<readonly (Child | readonly Child[])[]>()) {
    if (child === null || child === undefined || child === false) continue
    parent.append(typeof child === 'number' ? String(child) : child)
  }
}
