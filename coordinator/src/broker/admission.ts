/** May this client come in, and as whom? The identity first, then how often and how many of the same there are. */

import { refuse, type Result } from '@imlma/protocol/result'
import { createRateLimit } from '../trust/pki/rate.ts'
import { bindIdentity, parseGuest, parseIdentity, type Holder, type Identity } from './access.ts'

export interface AdmissionOptions {
  /** Connects of one holder of a certificate at once, and for ever after. A link that flaps connects every few seconds. */
  readonly connectsBurst?: number
  readonly connectsPerSecond?: number
}

/** `BAD_IDENTITY` is somebody's false claim; the others pass. */
export type AdmissionRefusal = 'BAD_IDENTITY' | 'TOO_OFTEN' | 'TOO_MANY'

/** `open`: how many connections the holder has already. */
export type Admit = (
  clientId: string,
  holder: Holder | undefined,
  open: (holder: Holder) => number,
  now: number,
) => Result<Identity, AdmissionRefusal>

/** Holders whose connects are counted: twice the largest embedded fleet. */
const holdersMax = 4_096

/** Connections of one part of the control centre. An agent has one: its client id is fixed, and the newer takes over. */
const coordinatorConnectionsMax = 16

/** `isCertified`: whoever comes without a certificate is a guest. */
export const createAdmission = (
  isCertified: boolean,
  { connectsBurst = 30, connectsPerSecond = 1 }: AdmissionOptions = {},
): Admit => {
  const mayConnect = createRateLimit({
    burst: connectsBurst,
    perSecond: connectsPerSecond,
    keysMax: holdersMax,
  })
  return (clientId, holder, open, now) => {
    if (holder === undefined) return isCertified ? parseGuest(clientId) : parseIdentity(clientId)
    const { kind, site, name } = holder
    if (!mayConnect(`${kind} ${site}/${name}`, now)) {
      return refuse('TOO_OFTEN', `${kind} ${site}/${name} connects too often`)
    }
    const identity = bindIdentity(holder, clientId)
    // This one is among them.
    if (identity.ok && kind === 'coordinator' && open(holder) > coordinatorConnectionsMax) {
      return refuse('TOO_MANY', `${kind} ${site}/${name} has ${coordinatorConnectionsMax} connections`)
    }
    return identity
  }
}
