/** `imlma pki deny`: a certificate is believed no more, from the next second on. */

import { accept, refuse } from '@imlma/protocol/result'
import type { Command } from '../command.ts'

const reasonLengthMax = 200

export const pkiDenyCommand: Command = {
  name: 'pki deny',
  summary: 'shut out a gateway, or whoever has its key',
  words: [{ name: 'serial', about: 'of the certificate', optional: true }],
  options: [
    { flags: '--agent <name>', about: 'every good certificate of this agent' },
    { flags: '--reason <text>', about: 'why, for the record', required: true },
  ],
  example: 'imlma pki deny --agent gateway-7 --reason "stolen on 3 May"',
  run: async ({ pki }, { words: [serial], options: { agent, reason } }) => {
    const why = String(reason).trim()
    if (why === '' || why.length > reasonLengthMax) {
      return refuse('USAGE', `a reason has 1 to ${reasonLengthMax} characters`)
    }
    const target =
      serial !== undefined && agent === undefined
        ? { serial: serial.toLowerCase() }
        : serial === undefined && typeof agent === 'string'
          ? { agent }
          : undefined
    if (target === undefined) return refuse('USAGE', 'say which: a serial, or --agent NAME')
    const denied = await pki.deny(target, why)
    if (!denied.ok) return denied
    const { serials } = denied.value
    const text =
      serials.length === 0 ? 'it was denied before' : serials.map((one) => `denied  ${one}`).join('\n')
    return accept({ text, json: { serials, reason: why } })
  },
}
