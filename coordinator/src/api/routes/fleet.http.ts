/** Routes about the house and its agents: health, agents, rollouts, alerts. */

import { z } from 'zod'
import { accept } from '@imlma/protocol/result'
import type { Control } from '../control.ts'
import { declareRead, limitQuery, type Api } from '../route.http.ts'
import { agentViewSchema, alertViewSchema, healthViewSchema, rolloutViewSchema } from '../views.ts'

export const addFleetRoutes = (api: Api, control: Control): void => {
  declareRead(api, '/health', {
    operationId: 'getHealth',
    summary: 'State of the control centre',
    description: 'Whether broker and registry work, how many agents are online, and what is degraded.',
    tag: 'fleet',
    output: healthViewSchema,
    answer: async () => accept(await control.health()),
  })
  declareRead(api, '/agents', {
    operationId: 'listAgents',
    summary: 'All agents',
    description: 'Presence, what each agent serves per model, backlog, latency and its last alarms.',
    tag: 'fleet',
    output: z.array(agentViewSchema),
    answer: async () => accept(await control.agents()),
  })
  declareRead(api, '/rollouts', {
    operationId: 'listRollouts',
    summary: 'How versions spread',
    description: 'Per assigned version the state of every agent, latest assignment first.',
    tag: 'fleet',
    query: limitQuery(50, 1_000),
    output: z.array(rolloutViewSchema),
    answer: async ({ query }) => accept(await control.rollouts(query.limit)),
  })
  declareRead(api, '/alerts', {
    operationId: 'listAlerts',
    summary: 'Alerts',
    description: 'What wants somebody’s attention, latest first.',
    tag: 'fleet',
    query: limitQuery(100, 1_000),
    output: z.array(alertViewSchema),
    answer: async ({ query }) => accept(await control.alerts(query.limit)),
  })
}
