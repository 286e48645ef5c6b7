/** What a command's end means to the shell: 0 done, 1 refused or failed, 2 wrong usage, 3 nobody answers. */

import type { Refusal } from '@imlma/protocol/result'

export const usageExitCode = 2

const unreachable = new Set(['UNREACHABLE', 'BROKER_UNREACHABLE', 'NO_ANSWER'])

export const exitCodeOf = (code: string): number => {
  if (code === 'USAGE' || code === 'WHICH_MODEL') return usageExitCode
  return unreachable.has(code) ? 3 : 1
}

/** `CODE: message`, and below it what to do. */
export const printRefusal = ({ code, message, hint }: Refusal): string =>
  `${code}: ${message}${hint === undefined ? '' : `\nhint: ${hint}`}`
