/**
 * Rooms follow the way of a reading, and no file imports itself by a detour. Types count: a circle of types is a circle of thought.
 */
import { rooms } from '../tables.ts'
import type { Objection, Rule, Tree } from '../rule.ts'

const roomOf = (path: string): string | undefined => {
  const [, , room, ...below] = path.split('/')
  return below.length > 0 ? room : undefined
}

export const roomRule: Rule = ({ sources }) =>
  [...sources.values()].flatMap((source): readonly Objection[] => {
    const table = rooms[source.home]
    if (table === undefined || source.isTest) return []
    const at = (line: number, message: string) => ({ rule: 'rooms', path: source.path, line, message })
    const { room } = source
    if (room !== undefined && !Object.hasOwn(table, room))
      return [at(1, `${room} is no room of ${source.home}`)]
    return source.imports.flatMap(({ target, line }) => {
      if (target === undefined || !target.startsWith(`${source.home}/src/`)) return []
      if (target === `${source.home}/src/main.ts`)
        return source.isMain ? [] : [at(line, 'nobody but its launcher imports main.ts')]
      const wanted = roomOf(target)
      if (room === undefined || wanted === undefined || wanted === room) return []
      return table[room]?.includes(wanted) === true
        ? []
        : [at(line, `${room} does not import from ${wanted}`)]
    })
  })

/** The shortest way from a file back to itself; undefined where there is none. */
const circleFrom = (start: string, { sources }: Tree): readonly string[] | undefined => {
  const queue: (readonly string[])[] = [[start]]
  const seen = new Set<string>()
  for (const way of queue) {
    const targets = sources.get(way.at(-1) ?? '')?.imports.flatMap(({ target }) => target ?? []) ?? []
    for (const target of targets) {
      if (target === start) return [...way, target]
      if (seen.has(target)) continue
      seen.add(target)
      queue.push([...way, target])
    }
  }
  return undefined
}

export const cycleRule: Rule = (tree) => {
  const told = new Set<string>()
  return [...tree.sources.keys()].toSorted().flatMap((path): readonly Objection[] => {
    const circle = told.has(path) ? undefined : circleFrom(path, tree)
    if (circle === undefined) return []
    for (const member of circle) told.add(member)
    return [{ rule: 'cycles', path, line: 1, message: circle.join(' → ') }]
  })
}
