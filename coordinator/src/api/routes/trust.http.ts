/** Handing over the next trust root. The request needs no trust of its own: the chain of signatures decides. */

import { z } from 'zod'
import { envelopeSchema } from '@imlma/protocol/trust'
import type { Control } from '../control.ts'
import { declareCommand, type Api } from '../route.http.ts'

export const addTrustRoutes = (api: Api, control: Control): void => {
  declareCommand(api, '/trust/roots', {
    operationId: 'submitTrustRoot',
    summary: 'The next trust root',
    description: 'A root envelope, signed by a threshold of the old and of the new root keys.',
    tag: 'trust',
    role: 'operator',
    body: envelopeSchema,
    output: z.object({ version: z.number().int().min(1) }),
    answer: ({ body }) => control.submitRoot(body),
  })
}
