/** What a person does for each gateway of a site, once: has a token made, and carries it there in a file. */

import { Failure } from '@imlma/protocol/result'
import { readEnrolled } from '@imlma/agent/identity'
import { createPki } from '@imlma/coordinator/cli/pki'
import { writeDurably } from '@imlma/protocol/node'

const validityMs = 3_600_000

/** Arguments by which the agent in `own` enrols at its first start; none where it has an identity. */
export const enrolmentOf = async (
  dataDir: string,
  agent: string,
  own: string,
): Promise<readonly string[]> => {
  if ((await readEnrolled(own)) !== undefined) return []
  const made = await createPki(dataDir, Date.now).token({ agent, validityMs })
  if (!made.ok) throw new Failure(made.refusal.code, made.refusal.message, made.refusal)
  // Not as an argument: those of a process can be read by everybody on the machine.
  const file = `${own}.token`
  await writeDurably(file, `${made.value.token}\n`, 0o600)
  return ['--enrol-file', file]
}
