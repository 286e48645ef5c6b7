/** Which topics a source listens to, and what their levels say: `site/{meter}/power` or `+/{meter}/{which}/#`. */

export interface TopicPattern {
  /** What the broker is asked for. */
  readonly filter: string
  /** What a topic's levels say; undefined where it does not fit. */
  readonly match: (topic: string) => { readonly meter?: string; readonly which?: string } | undefined
}

/** undefined where it is no filter of MQTT, or names a level twice. */
export const parseTopicPattern = (pattern: string): TopicPattern | undefined => {
  const levels = pattern.split('/')
  const named = levels.filter((level) => /^\{.*\}$/.test(level))
  const names = new Set<string>(named)
  const isKnown = named.every((name) => name === '{meter}' || name === '{which}')
  const isFilter = levels.every(
    (level, i) =>
      level === '+' ||
      names.has(level) ||
      (level === '#' ? i === levels.length - 1 : !/[+#{}\0]/.test(level)),
  )
  if (pattern === '' || pattern.length > 256 || !isKnown || !isFilter || names.size < named.length) {
    return undefined
  }
  return {
    filter: levels.map((level) => (names.has(level) ? '+' : level)).join('/'),
    match: (topic) => {
      const given = topic.split('/')
      const isOpen = levels.at(-1) === '#'
      const wanted = isOpen ? levels.slice(0, -1) : levels
      if (isOpen ? given.length < wanted.length : given.length !== wanted.length) return undefined
      const found: { meter?: string; which?: string } = {}
      for (const [i, level] of wanted.entries()) {
        const said = given[i] as string
        if (level === '{meter}') found.meter = said
        else if (level === '{which}') found.which = said
        else if (level !== '+' && level !== said) return undefined
      }
      return found
    },
  }
}
