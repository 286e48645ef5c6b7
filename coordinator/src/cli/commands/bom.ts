/** `imlma bom`: the bill of materials of a version, for tools that read CycloneDX. */

import { accept } from '@imlma/protocol/result'
import type { Command } from '../command.ts'
import { chooseModel, parseVersion } from '../model-choice.ts'

export const bomCommand: Command = {
  name: 'bom',
  summary: 'what a version is made of, as a CycloneDX 1.6 document',
  words: [
    { name: 'model', about: 'name of the model; may be left out where there is only one' },
    { name: 'version', about: 'the version', optional: true },
  ],
  example: 'imlma bom load-day-ahead 6 > load-day-ahead-6.cdx.json',
  run: async ({ client }, { words }) => {
    const [named, number] = words.length === 1 ? [undefined, words[0]] : words
    const version = parseVersion(number)
    if (!version.ok) return version
    const model = await chooseModel(client, named)
    if (!model.ok) return model
    const bom = await client.bom(model.value, version.value)
    return accept({ text: JSON.stringify(bom, null, 2), json: bom })
  },
}
