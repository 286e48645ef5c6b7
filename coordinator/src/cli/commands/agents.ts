/** `imlma agents`: who is there, what does each serve, what waits? */

import { accept } from '@imlma/protocol/result'
import { figure, grouped } from '../../api/sentences.ts'
import type { AgentView } from '../../api/views.ts'
import type { Command } from '../command.ts'
import { printAgo, printTable } from '../print.ts'

export const agentsCommand: Command = {
  name: 'agents',
  summary: 'who is there, what does each serve, what waits?',
  example: 'imlma agents',
  run: async ({ client }) => {
    const [health, agents] = await Promise.all([client.health(), client.agents()])
    const text = printTable(
      [
        { title: 'AGENT' },
        { title: 'PRESENCE' },
        { title: 'HEARD' },
        { title: 'MODEL' },
        { title: 'SERVES' },
        { title: 'P50/P95/P99 ms' },
        { title: 'MAE', align: 'right' },
        { title: 'n', align: 'right' },
        { title: 'BACKLOG', align: 'right' },
      ],
      agents.flatMap((agent) => rowsOf(agent, health.now)),
      'no agent has been heard yet',
    )
    return accept({ text, json: agents })
  },
}

const rowsOf = (agent: AgentView, now: number): string[][] => {
  const head = [agent.agent, agent.presence, printAgo(agent.heardAt, now)]
  const backlog = agent.backlog === null ? '–' : grouped(agent.backlog.readings)
  if (agent.models.length === 0) return [[...head, '–', 'nothing yet', '–', '–', '–', backlog]]
  return agent.models.map(({ model, version, pinned, phase, live }) => [
    ...head,
    model,
    `${version === null ? 'nothing yet' : `v${version}`}${pinned ? ' pinned' : ''}${phase === 'idle' ? '' : ` (${phase})`}`,
    live?.latencyMs === null || live === null
      ? '–'
      : [live.latencyMs.p50, live.latencyMs.p95, live.latencyMs.p99].map((ms) => figure(ms)).join('/'),
    figure(live?.figures.mae ?? null),
    grouped(live?.figures.rows ?? 0),
    backlog,
  ])
}
