/** What was found out about an agent, as lines for a person. */

/** Scalars as `name  value`; each entry of a list or a record on a line of its own. */
export const tellInspected = (found: Readonly<Record<string, unknown>>): string =>
  Object.entries(found)
    .flatMap(([name, value]) => tell(name, value))
    .join('\n')

const tell = (name: string, value: unknown): readonly string[] => {
  if (typeof value !== 'object' || value === null) return [`${name.padEnd(16)} ${String(value)}`]
  const entries = Object.entries(value)
  if (entries.length === 0) return [`${name.padEnd(16)} none`]
  return [
    name,
    ...entries.map(([key, each]) => `  ${Array.isArray(value) ? '-' : key.padEnd(14)} ${flat(each)}`),
  ]
}

/** Without braces and quotes, as far as that goes. */
const flat = (value: unknown): string =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value)
        .map(([key, each]) => `${key}=${typeof each === 'string' ? each : JSON.stringify(each)}`)
        .join(' ')
    : typeof value === 'string'
      ? value
      : JSON.stringify(value)
