/** What became of a changed trust root: in force and handed over, or waiting for signatures. */

import { accept, Failure, type Result } from '@imlma/protocol/result'
import type { RootProposal } from '../../trust/root-office.fs.ts'
import type { Context, Outcome } from '../command.ts'

export const settleProposal = async (context: Context, proposal: RootProposal): Promise<Result<Outcome>> => {
  const { version, envelope, signatures, pending } = proposal
  if (pending !== undefined) {
    const lines = signatures.map(({ of, needed, signed, open }) => {
      const missing = Math.max(0, needed - signed.length)
      const who = missing === 0 ? 'enough' : `${missing} more of ${open.join(', ')}`
      return `by the ${of} root's holders: ${signed.length} of ${needed} (${who})`
    })
    const text = [
      `trust root version ${version} waits in ${pending}; nothing has changed yet`,
      ...lines,
      `next        imlma root sign ${pending} --key FILE`,
    ].join('\n')
    return accept({ text, json: { version, pending, signatures, handed: false } })
  }
  const handed = await handOver(context, envelope)
  const text = handed
    ? `trust root version ${version} is in force and was taken by the control centre; gateways get it with their next assignment`
    : `trust root version ${version} is in force in ${context.settings.dataDir}/trust; the control centre takes it at its next look`
  return accept({ text, json: { version, pending: null, signatures, handed } })
}

/** True when the control centre has taken it; where it is stopped, it finds the root in the folder. */
export const handOver = async (
  { client, say }: Pick<Context, 'client' | 'say'>,
  envelope: Parameters<Context['client']['submitRoot']>[0],
): Promise<boolean> => {
  try {
    await client.submitRoot(envelope)
    return true
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    say(`the control centre has not taken the root yet (${error.code}: ${error.message})`)
    return false
  }
}
