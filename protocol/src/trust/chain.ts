/**
 * From one trust root to the next. A gateway is born with one version and follows the chain: each next version is
 * signed by a threshold of the old root keys and of the new ones (The Update Framework 1.0.34, "Update the root role").
 */

import { accept, refuse, type Result } from '../result.ts'
import type { Envelope } from './envelope.ts'
import { rootPayloadType, rootSchema, type TrustRoot } from './root.ts'
import type { VerifySignature } from './signatures.ts'
import { openEnvelope, type TrustRefusal } from './verify.ts'

/** The first root of a chain: it must carry a threshold of its own keys; whoever hands it over is trusted. */
export const openFirstRoot = (
  envelope: Envelope,
  verify: VerifySignature,
): Result<TrustRoot, TrustRefusal> => {
  const claimed = openEnvelope(envelope, { payloadType: rootPayloadType, schema: rootSchema })
  if (!claimed.ok) return claimed
  return verifyBy(envelope, claimed.value, verify)
}

/** The next root: signed by a threshold of the old and of the new root keys, its version one higher. */
export const openNextRoot = (
  current: TrustRoot,
  envelope: Envelope,
  verify: VerifySignature,
): Result<TrustRoot, TrustRefusal> => {
  const byOld = verifyBy(envelope, current, verify)
  if (!byOld.ok) return byOld
  const byNew = verifyBy(envelope, byOld.value, verify)
  if (!byNew.ok) return byNew
  if (byNew.value.version !== current.version + 1) {
    return refuse('REPLAYED', `root version ${byNew.value.version} does not follow ${current.version}`)
  }
  return accept(byNew.value)
}

const verifyBy = (envelope: Envelope, root: TrustRoot, verify: VerifySignature) =>
  openEnvelope(envelope, { payloadType: rootPayloadType, schema: rootSchema, root, role: 'root', verify })
