/** `imlma retrain`: the manual trigger. */

import { accept } from '@imlma/protocol/result'
import type { Command } from '../command.ts'
import { chooseModel } from '../model-choice.ts'

export const retrainCommand: Command = {
  name: 'retrain',
  summary: 'train a model now',
  words: [{ name: 'model', about: 'name of the model; the only one where it is left out', optional: true }],
  options: [{ flags: '--reason <text>', about: 'why; it is recorded' }],
  example: 'imlma retrain load-day-ahead --reason "new transformer in feeder 3"',
  run: async ({ client }, { words, options }) => {
    const model = await chooseModel(client, words[0])
    if (!model.ok) return model
    const reason = typeof options.reason === 'string' ? options.reason : 'asked for on the command line'
    const { run } = await client.retrain(model.value, reason)
    return accept({
      text: `${run} of ${model.value} is under way; follow it with: imlma status`,
      json: { model: model.value, run },
    })
  },
}
