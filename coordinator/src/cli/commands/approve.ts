/** `imlma approve`: the second person's signature on an order to more than one agent, which is then sent. */

import { accept } from '@imlma/protocol/result'
import type { Command } from '../command.ts'
import { parseTimeout, personsNeeded, personsSigned, sendOrder } from './order-sending.ts'

export const approveCommand: Command = {
  name: 'approve',
  summary: 'look at an order that waits for a second person, sign it and send it',
  words: [{ name: 'file', about: 'the order (….pending.json)' }],
  options: [
    { flags: '--key <file>', about: 'your key; another person’s than the first', required: true },
    { flags: '--timeout <seconds>', about: 'how long to wait for the agents (default 30)' },
  ],
  example: 'imlma approve 1f0c….pending.json --key ben.key',
  run: async (context, { words, options }) => {
    const { technician, say } = context
    const timeoutMs = parseTimeout(options.timeout)
    if (!timeoutMs.ok) return timeoutMs
    const path = words[0] ?? ''
    const pending = await technician.readPending(path)
    if (!pending.ok) return pending
    const { commandId, operation, model, target, agents, site, reason, expiresAt } = pending.value.command
    const until = new Date(expiresAt).toISOString()
    say(
      `${operation} of ${model ?? 'everything'}${target === null ? '' : ` to ${target}`} at ${agents.join(', ')} of ${site}, until ${until}: ${reason}`,
    )
    const approved = await technician.approve(String(options.key), pending.value)
    if (!approved.ok) return approved
    const { envelope, by } = approved.value
    await technician.writePending(path, envelope)
    const needed = await personsNeeded(context, agents)
    const signed = await personsSigned(context, envelope)
    if (signed < needed) {
      const text = `signed by ${by}, ${signed} of ${needed} people; nothing was sent yet: imlma approve ${path} --key FILE`
      return accept({ text, json: { commandId, pending: path, signed, needed } })
    }
    return sendOrder(context, { envelope, commandId, site, agents, model: model ?? '' }, timeoutMs.value)
  },
}
