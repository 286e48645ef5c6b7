/** `imlma versions`: every version of a model with the gate's verdict and its figures. */

import { accept } from '@imlma/protocol/result'
import { figure, grouped } from '../../api/sentences.ts'
import { tellState } from '../../api/shadow-sentences.ts'
import type { Command } from '../command.ts'
import { chooseModel } from '../model-choice.ts'
import { printRSquared, printTable, printTime } from '../print.ts'

export const versionsCommand: Command = {
  name: 'versions',
  summary: 'every version of a model, the gate’s verdict and its figures',
  words: [{ name: 'model', about: 'name of the model; the only one where it is left out', optional: true }],
  example: 'imlma versions load-day-ahead',
  run: async ({ client }, { words }) => {
    const model = await chooseModel(client, words[0])
    if (!model.ok) return model
    const versions = await client.versions(model.value)
    const text = printTable(
      [
        { title: 'VERSION' },
        { title: 'VERDICT' },
        { title: 'TRAINED' },
        { title: 'LEARNER' },
        { title: 'TRIGGER' },
        { title: 'MSE', align: 'right' },
        { title: 'MAE', align: 'right' },
        { title: 'R²', align: 'right' },
        { title: 'n', align: 'right' },
        { title: 'SERVED BY' },
      ],
      versions
        .toReversed()
        .map((version) => [
          `v${version.version}${version.champion ? ' *' : ''}`,
          tellState(version),
          printTime(version.createdAt),
          version.learner,
          version.trigger.kind,
          figure(version.figures?.mse ?? null),
          figure(version.figures?.mae ?? null),
          printRSquared(version.figures?.r2),
          version.figures === null ? '–' : grouped(version.figures.rows),
          version.servedBy.join(', ') || '–',
        ]),
      `${model.value} has no version yet`,
    )
    const note = versions.length === 0 ? '' : '\n* champion; figures on the window that the gate judged it by'
    return accept({ text: `${text}${note}`, json: versions })
  },
}
