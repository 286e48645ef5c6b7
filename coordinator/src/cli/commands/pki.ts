/** `imlma pki init`, `show`, `list`: the site's certificate authority, and what it has issued. */

import { accept } from '@imlma/protocol/result'
import type { Command } from '../command.ts'
import type { AuthorityView, CertificateView } from '../pki.fs.ts'
import { printAgo, printTable, printTime } from '../print.ts'

export const pkiInitCommand: Command = {
  name: 'pki init',
  summary: 'make the site’s certificate authority; from the next start on agents need certificates',
  example: 'imlma pki init --data-dir site-a --site north',
  run: async ({ pki, settings }) => {
    const { created, authority } = await pki.init(settings.site)
    const text = [
      created
        ? `made: restart the control centre, and enrol gateways with imlma pki token`
        : 'there is one already; nothing was changed',
      ...describe(authority),
    ]
    return accept({ text: text.join('\n'), json: { created, ...authority } })
  },
}

export const pkiShowCommand: Command = {
  name: 'pki show',
  summary: 'the site’s certificate authority: fingerprint, end, where gateways enrol',
  example: 'imlma pki show',
  run: async ({ pki }) => {
    const authority = await pki.show()
    return accept({ text: describe(authority).join('\n'), json: authority })
  },
}

export const pkiListCommand: Command = {
  name: 'pki list',
  summary: 'which certificates and tokens there are',
  example: 'imlma pki list',
  run: async ({ pki, now }) => {
    const { certificates, tokens } = await pki.list()
    const at = now()
    const text = [
      printTable(
        [{ title: 'AGENT' }, { title: 'SERIAL' }, { title: 'ISSUED' }, { title: 'ENDS' }, { title: 'STATE' }],
        certificates.map((one) => [
          one.agent,
          one.serial,
          printAgo(one.issuedAt, at),
          printTime(one.notAfter),
          stateOf(one, at),
        ]),
        'no certificate was issued yet',
      ),
      '',
      printTable(
        [{ title: 'TOKEN' }, { title: 'AGENT' }, { title: 'MADE' }, { title: 'EXPIRES' }, { title: 'STATE' }],
        tokens.map(({ id, agent, issuedAt, expiresAt, usedAt }) => [
          id,
          agent,
          printAgo(issuedAt, at),
          printAgo(expiresAt, at),
          usedAt !== null ? `used ${printAgo(usedAt, at)}` : expiresAt <= at ? 'expired' : 'open',
        ]),
        'no token is kept',
      ),
    ]
    return accept({ text: text.join('\n'), json: { certificates, tokens } })
  },
}

const describe = ({ site, fingerprint, notAfter, gateway, path }: AuthorityView): readonly string[] => [
  `site         ${site}`,
  `fingerprint  ${fingerprint}`,
  `good until   ${printTime(notAfter)}`,
  `gateways     ${gateway ?? 'nowhere yet: the control centre has not been started with certificates'}`,
  `folder       ${path} (whoever has ca.key can make agents)`,
]

const stateOf = ({ notAfter, denied }: CertificateView, now: number): string => {
  if (denied !== null) return `denied ${printAgo(denied.at, now)}: ${denied.reason}`
  return notAfter <= now ? 'ended' : 'good'
}
