/** What a command line asks for that ends at once: to enrol, to show who this gateway is, to be told the options. */

import { Failure } from '@imlma/protocol/result'
import { tellEntry, tellVerified } from './audit/tell.ts'
import { verifyAuditLog } from './audit/verify.fs.ts'
import { enrolGateway } from './identity.process.ts'
import { openSigningKey, readEnrolled, type Enrolled } from './identity/index.ts'
import type { Asked } from './settings.process.ts'

interface Output {
  readonly stdout: { readonly write: (text: string) => unknown }
  readonly stderr: { readonly write: (text: string) => unknown }
}

/** Resolves with the exit code. */
export const answer = async (
  asked: Exclude<Asked, { kind: 'run' }>,
  { stdout, stderr }: Output,
): Promise<0 | 1> => {
  try {
    if (asked.kind === 'inspect') {
      // Loaded by who asks: an agent never needs it.
      const { inspect } = await import('./inspection.process.ts')
      const { text, ok } = await inspect(asked.inspect)
      stdout.write(`${text}\n`)
      return ok ? 0 : 1
    }
    stdout.write(`${await toText(asked)}\n`)
    return 0
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause
    stderr.write(`${cause.code}: ${cause.message}\n`)
    if (cause.hint !== undefined) stderr.write(`  ${cause.hint}\n`)
    return 1
  }
}

const toText = async (asked: Exclude<Asked, { kind: 'run' | 'inspect' }>): Promise<string> => {
  switch (asked.kind) {
    case 'tell':
      return asked.text
    case 'enrol':
      return describe(await enrolGateway(asked.dataDir, asked.enrol))
    case 'check': {
      // Loaded by who asks: to be told who a gateway is, nobody needs every source's settings.
      const { checkConfiguration } = await import('./configuration.fs.ts')
      return checkConfiguration(asked.config)
    }
    case 'audit-show':
    case 'audit-verify':
      return tellAudit(asked.dataDir, asked.kind === 'audit-show')
    case 'identity': {
      const enrolled = await readEnrolled(asked.dataDir)
      if (enrolled !== undefined) return describe(enrolled)
      throw new Failure('NO_IDENTITY', `${asked.dataDir} holds no identity`, {
        hint: 'imlma-agent enrol TOKEN --data-dir DIR; a token is made by: imlma pki token --agent NAME',
      })
    }
  }
}

/** An agent that was never enrolled has no key, and a log that is not signed. */
const tellAudit = async (dataDir: string, isShown: boolean): Promise<string> => {
  const key = await openSigningKey(dataDir)
  const lines: string[] = []
  const verified = verifyAuditLog(
    dataDir,
    key && { keyid: key.signer.keyid, public: key.public },
    isShown ? (entry) => lines.push(tellEntry(entry)) : undefined,
  )
  if (verified.ok) return [...lines, tellVerified(verified.value)].join('\n')
  const { code, message, hint } = verified.refusal
  throw new Failure(code, message, hint === undefined ? {} : { hint })
}

const describe = ({ agent, site, notAfter, broker, gateway }: Enrolled): string =>
  [
    `${agent} of ${site}`,
    `certificate until  ${new Date(notAfter).toISOString()}, renewed by the running agent`,
    `renewed at         ${gateway}`,
    `broker             ${broker}`,
  ].join('\n')
