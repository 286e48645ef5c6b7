/**
 * Handing in a technician's signed order. The control centre has no say in it: it holds form and signatures against the
 * trust root, so that a mistake is told at once, and passes the very envelope on to the agents, who decide.
 */

import { z } from 'zod'
import { nameSchema } from '@imlma/protocol/wire'
import { envelopeSchema } from '@imlma/protocol/trust'
import type { Control } from '../control.ts'
import { declareCommand, type Api } from '../route.http.ts'

export const addCommandRoutes = (api: Api, control: Control): void => {
  declareCommand(api, '/commands', {
    operationId: 'passOnCommand',
    summary: 'A technician’s signed order',
    description:
      'A DSSE envelope with a command, signed where the key is. Agents answer with events `command-seen` under the ' +
      'same commandId.',
    tag: 'trust',
    role: 'operator',
    body: envelopeSchema,
    output: z.object({ commandId: nameSchema, agents: z.array(z.string()).readonly() }),
    answer: ({ body, by }) => control.passOnCommand(body, by),
  })
}
