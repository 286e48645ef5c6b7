/** `imlma compare`: two versions side by side. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { figure, grouped } from '../../api/sentences.ts'
import type { ComparisonView } from '../../api/views.ts'
import type { Command } from '../command.ts'
import { chooseModel, parseVersion } from '../model-choice.ts'
import { printTable } from '../print.ts'

export const compareCommand: Command = {
  name: 'compare',
  summary: 'two versions of a model side by side',
  words: [
    { name: 'model', about: 'name of the model; may be left out where there is only one' },
    { name: 'a', about: 'one version' },
    { name: 'b', about: 'the other version', optional: true },
  ],
  example: 'imlma compare load-day-ahead 4 6',
  run: async ({ client }, { words }) => {
    const chosen = parseWords(words)
    if (!chosen.ok) return chosen
    const model = await chooseModel(client, chosen.value.model)
    if (!model.ok) return model
    const comparison = await client.compare(model.value, chosen.value.a, chosen.value.b)
    return accept({ text: textOf(comparison), json: comparison })
  },
}

const parseWords = (
  words: readonly string[],
): Result<{ model: string | undefined; a: number; b: number }> => {
  const [model, first, second] = words.length === 2 ? [undefined, ...words] : words
  const a = parseVersion(first)
  if (!a.ok) return a
  const b = parseVersion(second)
  if (!b.ok) return b
  return a.value === b.value
    ? refuse('USAGE', 'a version compared with itself says nothing', 'name two versions')
    : accept({ model, a: a.value, b: b.value })
}

const textOf = (comparison: ComparisonView): string => {
  const { a, b, lines, traits, sameWindow } = comparison
  const figures = printTable(
    [
      { title: '' },
      { title: 'ON' },
      { title: `A: v${a}`, align: 'right' },
      { title: `B: v${b}`, align: 'right' },
      { title: 'B to A', align: 'right' },
      { title: 'BETTER' },
    ],
    lines.map(({ name, unit, basis, a: ofA, b: ofB, change, better }) => [
      unit === '' || unit.startsWith('unit') ? name : `${name}, ${unit}`,
      basis,
      figure(ofA),
      figure(ofB),
      change === null ? '–' : `${change > 0 ? '+' : ''}${(change * 100).toFixed(1)} %`,
      better === null || better === 'same' ? '' : better.toUpperCase(),
    ]),
    '',
  )
  const basis =
    sameWindow === null
      ? 'gate: each on its own window, so not strictly comparable'
      : `gate: both on the same ${grouped(sameWindow.rows)} rows`
  const differing = traits.filter(({ differs }) => differs)
  const made = printTable(
    [{ title: 'DIFFERS IN' }, { title: `A: v${a}` }, { title: `B: v${b}` }],
    differing.map((trait) => [trait.name, trait.a, trait.b]),
    'both were made in the same way',
  )
  return `${figures}\n${basis}\n\n${made}`
}
