/**
 * The bill of materials of a version: what it is made of, with the hashes that prove it, in the form that auditors' tools
 * read (CycloneDX 1.6, "Machine Learning Bill of Materials"). Made from the registry alone, so it is the same every time.
 */

import { z } from 'zod'
import type { VersionView } from './views.ts'

/** An open form: CycloneDX's own schema is the definition. */
export const bomViewSchema = z
  .looseObject({ bomFormat: z.literal('CycloneDX'), specVersion: z.literal('1.6') })
  .meta({ id: 'BillOfMaterials' })
export type BomView = z.infer<typeof bomViewSchema>

export const toBom = (version: VersionView): BomView => {
  const ref = `model:${version.model}@${version.version}`
  const dataset = `dataset:${version.dataset.sha256}`
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${toUuid(version.artifact.sha256)}`,
    version: 1,
    metadata: {
      timestamp: isoOf(version.createdAt),
      tools: { components: [{ type: 'application', name: 'IMLMA', version: version.codeVersion }] },
      component: {
        type: 'machine-learning-model',
        'bom-ref': ref,
        name: version.model,
        version: String(version.version),
        hashes: [{ alg: 'SHA-256', content: version.artifact.sha256 }],
        modelCard: toModelCard(version, dataset),
        properties: toProperties(version),
      },
    },
    components: [toDatasetComponent(version, dataset)],
    dependencies: [{ ref, dependsOn: [dataset] }, { ref: dataset }],
  }
}

const toModelCard = (version: VersionView, dataset: string) => ({
  modelParameters: {
    approach: { type: 'supervised' },
    task: 'time series forecasting',
    architectureFamily: version.learner,
    modelArchitecture: `${version.learner}, as an ONNX graph`,
    datasets: [{ ref: dataset }],
  },
  quantitativeAnalysis: { performanceMetrics: toMetrics(version) },
  considerations: {
    useCases: ['load forecasts of the metering network it was trained for'],
    technicalLimitations: [
      `trained on readings from ${isoOf(version.dataset.window.start)} to ${isoOf(version.dataset.window.end)}; what changed since is not in it`,
      ...(version.decision?.verdict === 'promote'
        ? []
        : ['not promoted: the gate has not found it better than the champion']),
    ],
  },
})

/** On the gate's window; nothing before the gate has decided. */
const toMetrics = ({ decision }: VersionView) => {
  if (decision === null) return []
  const slice = `gate, ${isoOf(decision.window.start)} to ${isoOf(decision.window.end)}, ${decision.rows} rows`
  const against =
    decision.champion.version === null ? decision.champion.learner : `version ${decision.champion.version}`
  return (['mse', 'mae', 'r2'] as const).flatMap((name) =>
    [
      { type: name.toUpperCase(), value: decision.challenger[name], slice },
      { type: name.toUpperCase(), value: decision.champion[name], slice: `${slice}; ${against}` },
    ].flatMap((metric) => (metric.value === null ? [] : [{ ...metric, value: String(metric.value) }])),
  )
}

const toDatasetComponent = ({ dataset }: VersionView, ref: string) => ({
  type: 'data',
  'bom-ref': ref,
  name: `readings ${isoOf(dataset.window.start)} to ${isoOf(dataset.window.end)}`,
  hashes: [{ alg: 'SHA-256', content: dataset.sha256 }],
  data: [
    {
      type: 'dataset',
      name: 'frozen readings',
      description: `${dataset.readings} readings of ${dataset.series} series; trained on what is before ${isoOf(dataset.trainEnd)}`,
    },
  ],
  properties: dataset.provenance.map(({ agent, firstSeq, lastSeq }) => ({
    name: `imlma:batches:${agent}`,
    value: `${firstSeq}-${lastSeq}`,
  })),
})

const toProperties = (version: VersionView) =>
  Object.entries({
    run: version.run,
    parent: version.parent,
    trigger: version.trigger.kind,
    parameters: JSON.stringify(version.parameters),
    seed: version.seed,
    study: version.study,
    trainingRows: version.rows,
    verdict: version.decision?.verdict ?? null,
    release: version.release,
    signedBy: version.keyid,
    manifestEnvelopeSha256: version.envelopeSha256,
  }).flatMap(([name, value]) => (value === null ? [] : [{ name: `imlma:${name}`, value: String(value) }]))

const isoOf = (at: number): string => new Date(at).toISOString()

/** A name that follows from the content: version 8 of RFC 9562. */
const toUuid = (sha256: string): string =>
  [
    sha256.slice(0, 8),
    sha256.slice(8, 12),
    `8${sha256.slice(13, 16)}`,
    `8${sha256.slice(17, 20)}`,
    sha256.slice(20, 32),
  ].join('-')
