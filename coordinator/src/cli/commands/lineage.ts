/** `imlma lineage`: where a version comes from, step by step, with the hashes that prove it. */

import { accept } from '@imlma/protocol/result'
import type { Command } from '../command.ts'
import { chooseModel, parseVersion } from '../model-choice.ts'
import { printTime } from '../print.ts'

export const lineageCommand: Command = {
  name: 'lineage',
  summary: 'where a version comes from, with the hashes that prove it',
  words: [
    { name: 'model', about: 'name of the model; may be left out where there is only one' },
    { name: 'version', about: 'the version', optional: true },
  ],
  example: 'imlma lineage load-day-ahead 6',
  run: async ({ client }, { words }) => {
    const [named, number] = words.length === 1 ? [undefined, words[0]] : words
    const version = parseVersion(number)
    if (!version.ok) return version
    const model = await chooseModel(client, named)
    if (!model.ok) return model
    const lineage = await client.lineage(model.value, version.value)
    const line = lineage.ancestors.map((ancestor) => `v${ancestor.version} (${ancestor.state})`).join(' <- ')
    const steps = lineage.steps.flatMap(({ at, title, detail, sha256 }) => [
      `${at === null ? ' '.repeat(20) : printTime(at)}  ${title}${detail === '' ? '' : `: ${detail}`}`,
      ...(sha256 === null ? [] : [`${' '.repeat(22)}sha256 ${sha256}`]),
    ])
    const checks = lineage.checks.map(
      ({ name, passed, detail }) => `${' '.repeat(22)}${passed ? 'ok ' : 'NOT'} ${name}: ${detail}`,
    )
    const gate = checks.length === 0 ? [] : ['', 'conditions of the gate', ...checks]
    return accept({ text: [line, '', ...steps, ...gate].join('\n'), json: lineage })
  },
}
