/** What is said of a model that was made elsewhere: who sent it, who made it, with what, and on data until when. */

import type { Trigger } from '../registry/events.ts'

/** Why its run started. */
export const tellRegistration = ({ registered, note, by }: Trigger['evidence']): string =>
  `the file ${String(registered).slice(0, 8)} was registered${typeof by === 'string' ? ` by the ${by}` : ''}` +
  (typeof note === 'string' && note !== '' ? `: ${note}` : '')

export const tellProvenance = ({
  parameters: { framework, author, trainedUntil },
}: {
  readonly parameters: Readonly<Record<string, unknown>>
}): string => {
  const until = typeof trainedUntil === 'number' ? new Date(trainedUntil).toISOString() : 'an unknown time'
  return `made elsewhere by ${String(author)} with ${String(framework)}, on data until ${until.replace(':00.000Z', 'Z')}`
}
