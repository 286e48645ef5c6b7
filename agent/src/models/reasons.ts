/** How the refusals of trust are said in `reported`, and which of them somebody should worry about. */

import type { Alarm, DeploymentReason } from '@imlma/protocol/wire'
import type { AdmissionRefusal } from './admission.ts'

/** `NOT_AUTHORISED` (a known key in a foreign role) is a signature that does not count; the detail keeps the words. */
export const toDeploymentReason = (code: AdmissionRefusal): DeploymentReason => {
  switch (code) {
    case 'NOT_AUTHORISED':
      return 'BAD_SIGNATURE'
    case 'NOT_YET_VALID':
      return 'EXPIRED'
    case 'BAD_SIGNATURE':
    case 'UNKNOWN_KEY':
    case 'EXPIRED':
    case 'REPLAYED':
    case 'WRONG_TARGET':
    case 'MALFORMED':
    case 'TOO_LARGE':
    case 'CONTRACT_MISMATCH':
    case 'SHADOW_ONLY':
      return code
  }
}

/** Codes that speak of somebody else's bytes, not of a model that does not work. */
const security: readonly string[] = [
  'BAD_SIGNATURE',
  'UNKNOWN_KEY',
  'NOT_AUTHORISED',
  'REPLAYED',
  'RETAINED',
  'STALE_RELEASE',
  'BAD_DIGEST',
  'DIGEST_MISMATCH',
  'WRONG_TARGET',
  'QUARANTINED',
  'SHADOW_ONLY',
]

export const alarmKindOf = (code: string): Alarm['kind'] =>
  security.includes(code) ? 'security' : code === 'NO_SPACE' ? 'storage' : 'deployment'
