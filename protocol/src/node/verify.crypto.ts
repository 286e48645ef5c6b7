/** The one place where a signature's scheme chooses its algorithm. What is not named here never verifies. */

import type { VerifySignature } from '../trust/signatures.ts'
import { toKeyId, verifyEd25519 } from './ed25519.crypto.ts'
import { verifyMlDsa } from './ml-dsa.crypto.ts'

export const verifySignature: VerifySignature = ({ keyid, scheme, publicKey }, bytes, signature) => {
  if (toKeyId(publicKey) !== keyid) return false
  switch (scheme) {
    case 'ed25519':
      return verifyEd25519(publicKey, bytes, signature)
    case 'ml-dsa-65':
      return verifyMlDsa(publicKey, bytes, signature)
    default:
      return false
  }
}
