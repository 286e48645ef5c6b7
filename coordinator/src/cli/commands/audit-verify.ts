/** `imlma audit verify`: does the chain of events hold? Reads the data directory itself, or asks a control centre. */

import { accept, refuse } from '@imlma/protocol/result'
import { grouped } from '../../api/sentences.ts'
import type { Command } from '../command.ts'

export const auditVerifyCommand: Command = {
  name: 'audit verify',
  summary: 'recompute the chain of events: a changed, removed or re-ordered one is found',
  example: 'imlma audit verify --data-dir .imlma',
  run: async ({ client, settings, verifyLocally }) => {
    const { dataDir, url, urlGiven } = settings
    const chain = urlGiven ? await client.verify() : await verifyLocally(dataDir)
    if (!chain.intact) {
      const { code, message } = chain.fault ?? { code: 'CHAIN_BROKEN', message: 'the chain does not hold' }
      return refuse(code, message, 'keep the files as they are, and restore the registry from a backup')
    }
    return accept({
      text: `the chain holds: ${grouped(chain.events)} events, head ${chain.headHash ?? 'none'} (${urlGiven ? url : dataDir})`,
      json: chain,
    })
  },
}
