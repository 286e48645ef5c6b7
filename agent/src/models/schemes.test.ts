import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMlDsaSigner, generateMlDsaKeyPair } from '@imlma/protocol/node'
import {
  fromBase64,
  rootPayloadType,
  rootSchema,
  sealEnvelope,
  toBase64,
  type Envelope,
} from '@imlma/protocol/trust'
import { model, release, sealDesired, sealRoot, type Key } from './testing/gateway.fs.ts'
import { artifact, createStory, keys, version, type Story } from './testing/story.contract.ts'

let story: Story
beforeEach(async () => {
  story = await createStory()
})
afterEach(() => story.end())

const lattice = generateMlDsaKeyPair()
const companion = createMlDsaSigner(lattice.secretKey)
const both: Key = { ...keys.release, signer: { ...keys.release.signer, companion } }
const alone: Key = { ...keys.release, signer: companion }

/** The next root, in which releases need ML-DSA-65 beside Ed25519. */
const sealStricter = (scheme = 'ml-dsa-65'): Envelope => {
  const { payload } = sealRoot(keys, 2)
  const root = rootSchema.parse(JSON.parse(new TextDecoder().decode(fromBase64(payload))))
  const { keyid } = keys.release.signer
  const stricter = {
    ...root,
    keys: {
      ...root.keys,
      [keyid]: { ...root.keys[keyid], companion: companion.keyid },
      [companion.keyid]: { scheme, public: toBase64(lattice.publicKey), name: 'release' },
    },
    roles: { ...root.roles, release: { ...root.roles.release, schemes: ['ed25519', scheme] } },
  }
  return sealEnvelope(rootPayloadType, stricter, [keys.root.signer])
}
const assign = (counter: number, manifest: Envelope, root = sealStricter()) =>
  sealDesired(keys.director, counter, { [model]: manifest }, { roots: [root] })

test('once the root asks for both schemes, what one of them signed is refused, and what serves goes on', async () => {
  const gateway = await story.boot()
  await gateway.assign(1, 1)
  for (const [counter, key] of [
    [2, keys.release],
    [3, alone],
  ] as const) {
    await gateway.models.desired(assign(counter, release(key, 2, artifact(2)).envelope))
    await gateway.idle()
    expect(await gateway.answers()).toBe(1)
    expect(gateway.state()?.outcome).toMatchObject({ state: 'refused', reason: 'BAD_SIGNATURE' })
  }
  expect(gateway.models.reportedModels().rootVersion).toBe(2)
  await gateway.models.desired(assign(4, release(both, 2, artifact(2)).envelope))
  await gateway.idle()
  expect(await gateway.answers()).toBe(2)
  // Installed under the older root, and still the way back.
  await story.off(gateway)
  const after = await story.boot()
  expect(await after.answers()).toBe(2)
  expect(after.state()?.previous?.version).toBe(1)
})

test('a gateway that is older than a scheme keeps its root, says so, and goes on', async () => {
  const gateway = await story.boot()
  await gateway.assign(1, 1)
  await gateway.models.desired(assign(2, version(2).envelope, sealStricter('slh-dsa-128s')))
  await gateway.idle()
  expect(gateway.models.reportedModels().rootVersion).toBe(1)
  expect(gateway.alarms).toContainEqual(
    expect.objectContaining({
      evidence: expect.objectContaining({
        code: 'MALFORMED',
        detail: expect.stringContaining('slh-dsa-128s is not known here'),
      }),
    }),
  )
  expect(await gateway.answers()).toBe(2)
})
