/**
 * `imlma approve`: the second person's signature. On an order to more than one agent, which is then sent; or on a version
 * that was promoted and that the trust root lets nobody release alone.
 */

import { accept, refuse } from '@imlma/protocol/result'
import type { Arguments, Command, Context } from '../command.ts'
import { parseVersion } from '../model-choice.ts'
import { parseTimeout, personsNeeded, personsSigned, sendOrder } from './order-sending.ts'

export const approveCommand: Command = {
  name: 'approve',
  summary: 'look at what waits for a second person (an order, or with --release a version), and sign it',
  words: [{ name: 'what', about: 'the order’s file (….pending.json), or the model’s name with --release' }],
  options: [
    { flags: '--key <file>', about: 'your key; another person’s than the first', required: true },
    { flags: '--release <version>', about: 'release this version of the model, in the data directory' },
    { flags: '--timeout <seconds>', about: 'how long to wait for the agents (default 30)' },
  ],
  example: 'imlma approve 1f0c….pending.json --key ben.key',
  run: (context, given) =>
    given.options.release === undefined ? approveOrder(context, given) : approveRelease(context, given),
}

const approveOrder = async (context: Context, { words, options }: Arguments) => {
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
}

const approveRelease = async ({ roots, settings, say }: Context, { words, options }: Arguments) => {
  const model = words[0] ?? ''
  const version = parseVersion(String(options.release))
  if (!version.ok) return version
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(model)) return refuse('USAGE', `${model} is no model’s name`)
  const { dataDir } = settings
  const waiting = await roots.pendingRelease(dataDir, model, version.value)
  if (!waiting.ok) return waiting
  const { artifact, lineage, release } = waiting.value
  say(
    `version ${version.value} of ${model}, release ${release}: artifact ${artifact.sha256}, by ${lineage.learner} on dataset ${lineage.datasetSha256}`,
  )
  const signed = await roots.approveRelease(dataDir, model, version.value, String(options.key))
  if (!signed.ok) return signed
  const { by, persons, needed } = signed.value
  const text =
    persons < needed
      ? `signed by ${by}, ${persons} of ${needed} people; the version goes on waiting`
      : `signed by ${by}; the control centre assigns the version now`
  return accept({ text, json: { model, version: version.value, signedBy: by, persons, needed } })
}
