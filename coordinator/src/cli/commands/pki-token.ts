/** `imlma pki token`: what a person carries to a gateway, so that it becomes an agent of this site. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { isName } from '@imlma/protocol/wire'
import { tokenValidityMs } from '../../trust/pki/token-terms.ts'
import type { Command } from '../command.ts'
import { printTime } from '../print.ts'

export const pkiTokenCommand: Command = {
  name: 'pki token',
  summary: 'a token by which one gateway enrols once',
  options: [
    { flags: '--agent <name>', about: 'whose it is', required: true },
    { flags: '--valid <span>', about: 'how long: 30m, 1h, 2d (default 1h, at most 30d)' },
    { flags: '--gateway <url>', about: 'where it enrols, if not where the control centre has last listened' },
  ],
  example: 'imlma pki token --agent gateway-7 --valid 2d',
  run: async ({ pki, say }, { options }) => {
    const agent = String(options.agent)
    if (!isName(agent) || agent.startsWith('_')) {
      return refuse(
        'USAGE',
        `${agent} is no name of an agent`,
        'letters, digits, _ and -; at most 64, and no _ at the beginning',
      )
    }
    const validityMs = parseSpan(options.valid)
    if (!validityMs.ok) return validityMs
    const { gateway } = options
    if (typeof gateway === 'string' && !isHttps(gateway)) {
      return refuse('USAGE', `${gateway} is no address of a listener`, 'https://HOST:8443')
    }
    const made = await pki.token({
      agent,
      validityMs: validityMs.value,
      ...(typeof gateway === 'string' ? { gateway } : {}),
    })
    if (!made.ok) return made
    const { token, expiresAt } = made.value
    // Beside the token, not in it: what is printed can go straight into a file.
    say(`for ${agent}, until ${printTime(expiresAt)}, once: imlma-agent enrol TOKEN --data-dir DIR`)
    return accept({ text: token, json: { agent, ...made.value } })
  },
}

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

const parseSpan = (given: string | boolean | undefined): Result<number> => {
  if (given === undefined) return accept(tokenValidityMs.usual)
  const [, count = '', unit = ''] = /^(\d{1,5})([mhd])$/.exec(String(given)) ?? []
  const ms = Number(count) * (unitMs[unit] ?? 0)
  return ms >= tokenValidityMs.min && ms <= tokenValidityMs.max
    ? accept(ms)
    : refuse('USAGE', `${String(given)} is no time for a token`, 'a minute to thirty days: 30m, 1h, 2d')
}

const isHttps = (url: string): boolean => URL.canParse(url) && new URL(url).protocol === 'https:'
