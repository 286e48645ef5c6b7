/** Routes about the house and its agents: health, agents, rollouts, alerts. */

import { z } from 'zod'
import { accept } from '@imlma/protocol/result'
import type { Control } from '../control.ts'
import { mayAccess } from '../people/roles.ts'
import { declareRead, limitQuery, type Api } from '../route.http.ts'
import {
  agentViewSchema,
  alertViewSchema,
  healthViewSchema,
  livenessViewSchema,
  rolloutViewSchema,
} from '../views.ts'

export const addFleetRoutes = (api: Api, control: Control): void => {
  declareRead(api, '/health', {
    operationId: 'getHealth',
    summary: 'State of the control centre',
    description:
      'Whether broker and registry work, how many agents are online, and what is degraded. Without a login it says ' +
      'only that the control centre answers.',
    tag: 'fleet',
    role: 'public',
    output: z.union([healthViewSchema, livenessViewSchema]),
    answer: async ({ principal }) =>
      accept(mayAccess(principal, 'viewer') ? await control.health() : { status: 'ok' as const }),
  })
  declareRead(api, '/agents', {
    operationId: 'listAgents',
    summary: 'All agents',
    description: 'Presence, what each agent serves per model, backlog, latency and its last alarms.',
    tag: 'fleet',
    role: 'viewer',
    output: z.array(agentViewSchema),
    answer: async () => accept(await control.agents()),
  })
  declareRead(api, '/rollouts', {
    operationId: 'listRollouts',
    summary: 'How versions spread',
    description: 'Per assigned version the state of every agent, latest assignment first.',
    tag: 'fleet',
    role: 'viewer',
    query: limitQuery(50, 1_000),
    output: z.array(rolloutViewSchema),
    answer: async ({ query }) => accept(await control.rollouts(query.limit)),
  })
  declareRead(api, '/alerts', {
    operationId: 'listAlerts',
    summary: 'Alerts',
    description: 'What wants somebody’s attention, latest first.',
    tag: 'fleet',
    role: 'viewer',
    query: limitQuery(100, 1_000),
    output: z.array(alertViewSchema),
    answer: async ({ query }) => accept(await control.alerts(query.limit)),
  })
}
