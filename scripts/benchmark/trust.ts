/**
 * What does trust cost a gateway and the control centre? A manifest from bytes to a document that may be believed, with one
 * scheme and with both, and all of its admission at an agent, golden vectors decoded; an artifact of 100 MB on disk against
 * its digest; and, with `--ingest`, what verifying adds to the ingest of readings (short runs of `bench ingest` with and
 * without signatures, in turn, for both of its shapes).
 *
 *   node scripts/benchmark/trust.ts [--rounds 15] [--ingest] [--seconds 8]
 *
 * Bars: 1 ms a manifest, 150 ms the artifact, 15 % of the ingest's processor time. All are held against processor time,
 * which other work on the machine hardly changes; elapsed time is shown beside it. Mutual TLS is `bench tls`.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { manifestPayloadType, manifestSchema } from '@imlma/protocol/manifest'
import { admitManifest, newKeys, release, sealRoot, tinyContract } from '@imlma/agent/testing/parsers'
import {
  createMlDsaSigner,
  createSigner,
  generateKeyPair,
  generateMlDsaKeyPair,
  sha256,
  sha256File,
  verifySignature,
} from '@imlma/protocol/node'
import {
  cosignEnvelope,
  openEnvelope,
  openFirstRoot,
  parseEnvelope,
  toBase64,
  type Envelope,
  type TrustRoot,
} from '@imlma/protocol/trust'
import { encodeJson } from '@imlma/protocol/wire'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    ingest: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '8' },
  },
})
const rounds = Math.max(5, Number(options.rounds))
const bars = { manifestMs: 1, artifactMs: 150, ingestShare: 0.15 }
const artifactBytes = 100_000_000
/** Golden vectors of the manifest: about 60 kB, as large as an assignment's usually is. */
const vectors = 48

interface Cost {
  readonly cpuMs: number
  readonly elapsedMs: number
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const measure = async (times: number, work: () => unknown): Promise<Cost> => {
  const found: Cost[] = []
  // The first round warms up.
  for (let round = 0; round <= rounds; round += 1) {
    const [startedAt, cpuBefore] = [performance.now(), process.cpuUsage()]
    for (let time = 0; time < times; time += 1) await work()
    const { user, system } = process.cpuUsage(cpuBefore)
    const cost = {
      cpuMs: (user + system) / 1_000 / times,
      elapsedMs: (performance.now() - startedAt) / times,
    }
    if (round > 0) found.push(cost)
  }
  return {
    cpuMs: median(found.map(({ cpuMs }) => cpuMs)),
    elapsedMs: median(found.map(({ elapsedMs }) => elapsedMs)),
  }
}

const manifestOf = (key: Parameters<typeof release>[0]): Envelope => {
  const contract = tinyContract({ features: 96, horizon: 96, seasonSteps: 96 })
  const artifact = { bytes: new Uint8Array(10), contract, answer: () => new Float32Array(96) }
  const { golden } = release(key, 1, artifact).manifest
  const many = Array.from({ length: vectors }, (_, index) => golden.vectors[index % golden.vectors.length])
  const all = many.flatMap((vector) => vector ?? [])
  return release(key, 1, artifact, { golden: { ...golden, vectors: all } }).envelope
}

/** Verified and parsed, as from the wire; throws where it is not believed. */
const verifying = (bytes: Uint8Array, root: TrustRoot) => (): void => {
  const envelope = parseEnvelope(bytes)
  const terms = { payloadType: manifestPayloadType, schema: manifestSchema, root, role: 'release' } as const
  const opened = envelope.ok && openEnvelope(envelope.value, { ...terms, verify: verifySignature })
  if (opened === false || !opened.ok) throw new Error('the manifest is not believed')
}

/** Everything that an agent looks at before it fetches. */
const admitting = (bytes: Uint8Array, root: TrustRoot) => (): void => {
  const envelope = parseEnvelope(bytes)
  const admitted = envelope.ok && admitManifest('load', envelope.value, { root, verify: verifySignature })
  if (admitted === false || !admitted.ok) throw new Error('the manifest is not believed')
}

const oneScheme = () => {
  const keys = newKeys()
  const root = openFirstRoot(sealRoot(keys), verifySignature)
  if (!root.ok) throw new Error(root.refusal.message)
  return { envelope: manifestOf(keys.release), root: root.value }
}

/** The same root, whose release role asks for ML-DSA-65 beside Ed25519. */
const bothSchemes = () => {
  const { root } = oneScheme()
  const [own, companion] = [generateKeyPair(), generateMlDsaKeyPair()]
  const [signer, second] = [createSigner(own.secretKey), createMlDsaSigner(companion.secretKey)]
  const key = { signer, public: toBase64(own.publicKey) }
  const keys: TrustRoot['keys'] = {
    ...root.keys,
    [signer.keyid]: { scheme: 'ed25519', public: key.public, name: 'both', companion: second.keyid },
    [second.keyid]: { scheme: 'ml-dsa-65', public: toBase64(companion.publicKey), name: 'both' },
  }
  const role = { keyids: [signer.keyid], threshold: 1, schemes: ['ed25519' as const, 'ml-dsa-65' as const] }
  return {
    envelope: cosignEnvelope(manifestOf(key), [second]),
    root: { ...root, keys, roles: { ...root.roles, release: role } },
  }
}

const measureArtifact = async (): Promise<Cost> => {
  const folder = mkdtempSync(join(tmpdir(), 'imlma-trust-'))
  const path = join(folder, 'artifact')
  const bytes = new Uint8Array(artifactBytes).fill(7)
  writeFileSync(path, bytes)
  const digest = sha256(bytes)
  try {
    return await measure(1, async () => {
      if ((await sha256File(path)).sha256 !== digest) throw new Error('the file has another digest')
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

interface IngestRun {
  readonly cpuSecondsPerMillion: number
}

const ingestCost = (...flags: readonly string[]): number => {
  const file = join(import.meta.dirname, 'ingest.ts')
  const args = [file, '--seconds', options.seconds, '--json', ...flags]
  let said: string
  try {
    said = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch (error) {
    // Its own bar is about readings a second, which a busy machine misses; what it measured is there none the less.
    said = String((error as { stdout?: unknown }).stdout)
  }
  return (JSON.parse(said.trim()) as IngestRun).cpuSecondsPerMillion
}

const show = (what: string, { cpuMs, elapsedMs }: Cost, bar = Number.POSITIVE_INFINITY): boolean => {
  const held = cpuMs <= bar
  const line = `${cpuMs.toFixed(3)} ms of processor, ${elapsedMs.toFixed(3)} ms elapsed`
  console.log(`${what.padEnd(36)} ${line}${Number.isFinite(bar) ? `; bar ${bar} ms` : ''}${held ? '' : ' ✗'}`)
  return held
}

const single = oneScheme()
const double = bothSchemes()
const packet = encodeJson(single.envelope)
const doublePacket = encodeJson(double.envelope)
const held = [
  show(
    `manifest of ${Math.round(packet.length / 1_000)} kB, Ed25519`,
    await measure(100, verifying(packet, single.root)),
    bars.manifestMs,
  ),
  show(
    'the same, Ed25519 and ML-DSA-65',
    await measure(100, verifying(doublePacket, double.root)),
    bars.manifestMs,
  ),
  show('its whole admission, Ed25519', await measure(100, admitting(packet, single.root))),
  show('artifact of 100 MB on disk', await measureArtifact(), bars.artifactMs),
]

// A concentrator's last hour, and what one sends after an outage: there a batch costs least, and its signature shows most.
for (const shape of options.ingest ? ['live', 'backlog'] : []) {
  const shares = Array.from({ length: 3 }, () => {
    const plain = ingestCost('--shape', shape)
    return ingestCost('--shape', shape, '--signed') / plain - 1
  })
  const share = median(shares)
  const isHeld = share <= bars.ingestShare
  held.push(isHeld)
  const percents = shares.map((each) => `${(each * 100).toFixed(1)} %`).join(', ')
  console.log(
    `${`signatures add to ingest, ${shape}`.padEnd(36)} ${percents} of processor; bar 15 %${isHeld ? '' : ' ✗'}`,
  )
}
process.exitCode = held.every(Boolean) ? 0 : 1
