/** What the control centre signs, each document with the one key that may: release invents versions, director assigns them. */

import { manifestPayloadType, manifestSchema, type Manifest } from '@imlma/protocol/manifest'
import {
  desiredPayloadType,
  desiredSchema,
  sealEnvelope,
  type Desired,
  type Envelope,
  type Signer,
} from '@imlma/protocol/trust'

/** Throws on a manifest that an agent could not parse: it is checked before it is signed, not in the field. */
export const sealManifest = (manifest: Manifest, release: Signer): Envelope =>
  sealEnvelope(manifestPayloadType, manifestSchema.parse(manifest), [release])

/** Throws on an assignment that an agent could not parse. */
export const sealDesired = (desired: Desired, director: Signer): Envelope =>
  sealEnvelope(desiredPayloadType, desiredSchema.parse(desired), [director])
