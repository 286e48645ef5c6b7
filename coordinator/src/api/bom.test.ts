import { expect, test } from 'vitest'
import { Spec, Validation } from '@cyclonedx/cyclonedx-library'
import { z } from 'zod'
import { bomViewSchema, type BomView } from './bom.ts'
import { createTestApp } from './testing/call.http.ts'
import { versionViewSchema } from './views.ts'

const { read, get } = createTestApp()
const model = 'load-day-ahead'
const bomOf = (version: number): Promise<BomView> =>
  read(bomViewSchema, `models/${model}/versions/${version}/bom`)

/** By CycloneDX's own JSON schema, which refuses every field that it does not know. */
const faultsOf = (bom: BomView) =>
  new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(JSON.stringify(bom))

test('the bill of materials of every version is valid CycloneDX 1.6', async () => {
  const versions = await read(z.array(versionViewSchema), `models/${model}/versions`)
  expect(versions.length).toBeGreaterThan(3)
  for (const { version } of versions) expect(await faultsOf(await bomOf(version))).toBeNull()
})

test('a document with a field of another form is refused by the same schema', async () => {
  const bom = await bomOf(6)
  expect(await faultsOf({ ...bom, dependencies: [{ dependsOn: 7 }] })).not.toBeNull()
  expect(await faultsOf({ ...bom, surprise: 1 })).not.toBeNull()
})

test('names the bytes, the dataset, the figures and who signed', async () => {
  const [version] = (await read(z.array(versionViewSchema), `models/${model}/versions`)).filter(
    (each) => each.version === 6,
  )
  const text = JSON.stringify(await bomOf(6))
  for (const part of [
    version?.artifact.sha256,
    version?.dataset.sha256,
    version?.keyid,
    version?.envelopeSha256,
    String(version?.decision?.challenger.mse),
    version?.learner,
  ]) {
    expect(text).toContain(part)
  }
  expect(await bomOf(6)).toEqual(await bomOf(6))
})

test('there is none of a version that is not there', async () => {
  expect((await get(`models/${model}/versions/99/bom`)).status).toBe(404)
})
