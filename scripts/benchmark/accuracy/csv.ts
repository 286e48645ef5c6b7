/** A column of a plain comma-separated file with a head line. */
import { readFileSync } from 'node:fs'

export const readColumns = <Name extends string>(
  path: string,
  names: readonly Name[],
): Record<Name, string[]> => {
  const [head = '', ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/)
  const titles = head.split(',')
  const rows = lines.map((line) => line.split(','))
  return Object.fromEntries(
    names.map((name) => [name, rows.map((row) => row[titles.indexOf(name)] ?? '')]),
  ) as Record<Name, string[]>
}
