/** `imlma status`: is everything well, and how far is the next training? */

import { accept } from '@imlma/protocol/result'
import { figure, grouped } from '../../api/sentences.ts'
import { tellShadowProgress } from '../../api/shadow-sentences.ts'
import type { ModelView } from '../../api/views.ts'
import type { Command } from '../command.ts'
import { printAgo, printRSquared, printTime } from '../print.ts'

export const statusCommand: Command = {
  name: 'status',
  summary: 'is everything well, and how far is the next training?',
  example: 'imlma status',
  run: async ({ client }) => {
    const [health, models] = await Promise.all([client.health(), client.models()])
    const lines = [
      `site        ${health.site} (IMLMA ${health.version}), ${health.status}`,
      ...health.problems.map((problem) => `problem     ${problem}`),
      `broker      ${health.broker.url}, ${health.broker.connected ? 'connected' : 'NOT connected'}`,
      `agents      ${health.agentsOnline} of ${health.agentsKnown} online`,
      `readings    ${health.readingsAt === null ? 'none yet' : `up to ${printTime(health.readingsAt)}`}`,
      `events      ${grouped(health.seq)}`,
      ...models.flatMap((model) => ['', ...linesOf(model, health.now)]),
    ]
    return accept({ text: lines.join('\n'), json: { health, models } })
  },
}

const linesOf = ({ model, champion, trigger, run, shadow, definition }: ModelView, now: number): string[] => {
  const due = trigger.dueAt === null ? '' : `, or ${printAgo(trigger.dueAt, now)}`
  return [
    `model       ${model} (${definition.quantity}, ${definition.unit}, ${definition.horizon} steps ahead)`,
    champion === null
      ? '  champion  none yet'
      : `  champion  v${champion.version}: MSE ${figure(champion.figures.mse)}, MAE ${figure(champion.figures.mae)}, R² ${printRSquared(champion.figures.r2)} on ${grouped(champion.figures.rows)} rows`,
    ...(shadow === null
      ? []
      : [
          `  in shadow ${tellShadowProgress(shadow)}; ${grouped(shadow.pairs)} pairs of ${shadow.agents} agents beside v${shadow.champion}, at most ${shadow.daysMax} days`,
        ]),
    `  trigger   ${grouped(trigger.readings)} of ${grouped(trigger.threshold)} new readings${due}`,
    ...(trigger.blocked === null ? [] : [`  blocked   ${trigger.blocked}`]),
    ...(run === null ? [] : [`  run       ${run.run}: ${run.phase} ${run.detail}`]),
  ]
}
