/**
 * Does an agent serve a verified model, and is what is said about it true? Asked from outside: the trust root, the file, its
 * manifest and golden vectors on one hand, what the agent answers and reports and what the control centre shows on the other.
 */

import { readFile } from 'node:fs/promises'
import {
  checkGolden,
  manifestPayloadType,
  manifestSchema,
  toGoldenVectors,
  type Manifest,
} from '@imlma/protocol/manifest'
import { sha256File, verifySignature } from '@imlma/protocol/node'
import {
  openEnvelope,
  openFirstRoot,
  openNextRoot,
  parseEnvelope,
  type TrustRoot,
} from '@imlma/protocol/trust'
import type { Reported } from '@imlma/protocol/wire'
import type { Agent } from '../house/api.http.ts'

const model = 'load'

/** The newest root of a site, followed from the first. */
export const readRoot = async (dataDir: string): Promise<TrustRoot> => {
  let root: TrustRoot | undefined
  for (let version = 1; ; version++) {
    const bytes = await readFile(`${dataDir}/trust/roots/${version}.json`).catch(() => undefined)
    if (bytes === undefined) break
    const envelope = parseEnvelope(bytes)
    if (!envelope.ok) throw new Error(envelope.refusal.message)
    const opened =
      root === undefined
        ? openFirstRoot(envelope.value, verifySignature)
        : openNextRoot(root, envelope.value, verifySignature)
    if (!opened.ok) throw new Error(opened.refusal.message)
    root = opened.value
  }
  if (root === undefined) throw new Error('the site has no trust root')
  return root
}

/** The manifest of a file on an agent's disk, where signature and digest hold. */
const verifiedManifest = async (folder: string, sha256: string, root: TrustRoot): Promise<Manifest> => {
  const envelope = parseEnvelope(await readFile(`${folder}/models/${sha256}.manifest.json`))
  if (!envelope.ok) throw new Error(envelope.refusal.message)
  const opened = openEnvelope(envelope.value, {
    payloadType: manifestPayloadType,
    schema: manifestSchema,
    root,
    role: 'release',
    verify: verifySignature,
  })
  if (!opened.ok) throw new Error(opened.refusal.message)
  const actual = (await sha256File(`${folder}/models/${sha256}.onnx`)).sha256
  if (opened.value.artifact.sha256 !== sha256 || actual !== sha256) throw new Error('another file is on disk')
  return opened.value
}

const ask = async <View>(url: string, init?: RequestInit): Promise<View> => {
  const response = await fetch(url, init)
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as View
}

interface Answered {
  readonly model_version: string
  readonly outputs: readonly { readonly data: readonly number[] }[]
}

/** Throws unless the agent answers this version's golden vectors, in its name. */
const answersGolden = async (url: string, manifest: Manifest): Promise<void> => {
  const vectors = toGoldenVectors(manifest)
  const [input, output] = [manifest.contract.inputs[0], manifest.contract.outputs[0]]
  if (!vectors.ok || input === undefined || output === undefined) throw new Error('no golden vectors')
  for (const vector of vectors.value) {
    const tensor = {
      name: input.name,
      datatype: 'FP32',
      shape: [1, vector.input.length],
      data: [...vector.input],
    }
    const answer = await ask<Answered>(`${url}/v2/models/${model}/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: [tensor], outputs: [{ name: output.name }] }),
    })
    if (answer.model_version !== String(manifest.version))
      throw new Error(`answered as ${answer.model_version}`)
    const match = checkGolden(
      vector.output,
      Float32Array.from(answer.outputs[0]?.data ?? []),
      manifest.golden.tolerance,
    )
    if (!match.ok) throw new Error(match.refusal.message)
  }
}

export interface Witnesses {
  readonly agent: string
  readonly folder: string
  readonly url: string
  readonly root: TrustRoot
  /** What the broker hands out, retained. */
  readonly reported: Reported | undefined
  /** What the control centre shows. */
  readonly shown: Agent | undefined
}

/** Throws with the first thing that is not so; returns the version that serves. */
export const establishTruth = async (witnesses: Witnesses): Promise<number> => {
  const { folder, url, root, reported, shown } = witnesses
  const status = await ask<Pick<Reported, 'models' | 'bootId'>>(`${url}/status`)
  const said = status.models[model]
  if (said === undefined || said.active === null) throw new Error('no released version serves')
  if (said.phase !== 'idle') throw new Error(`still ${said.phase}`)
  const { version, sha256 } = said.active
  const manifest = await verifiedManifest(folder, sha256, root)
  if (manifest.version !== version) throw new Error(`says ${version}, and its manifest ${manifest.version}`)
  await ask(`${url}/v2/health/ready`)
  await answersGolden(url, manifest)
  const told = reported?.models[model]
  if (reported?.bootId !== status.bootId) throw new Error('its last report is of an earlier start')
  if (told?.active?.sha256 !== sha256) throw new Error(`reports ${told?.active?.version}, serves ${version}`)
  const seen = shown?.models.find((each) => each.model === model)
  if (shown?.presence !== 'online') throw new Error(`is ${shown?.presence} for the control centre`)
  if (seen?.version !== version)
    throw new Error(`the control centre shows ${seen?.version}, it serves ${version}`)
  return version
}
