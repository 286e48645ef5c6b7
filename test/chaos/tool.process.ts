/** `imlma`, as people run it, where the site under chaos can be found. */

import { mkdir, writeFile } from 'node:fs/promises'
import { scripts } from '../house/places.fs.ts'
import { runProgram } from '../house/program.process.ts'
import { site as siteName } from '../house/watch.mqtt.ts'
import type { Site } from './site.process.ts'

/** Throws with everything that was said where it fails. */
export const peoplesTool =
  ({ dataDir, api, broker }: Site, folder: string) =>
  async (words: readonly string[]): Promise<string> => {
    await mkdir(`${folder}/.imlma`, { recursive: true })
    const word = { dataDir, url: api.url, broker, site: siteName }
    await writeFile(`${folder}/.imlma/current.json`, JSON.stringify(word))
    return runProgram(scripts.imlma, [...words, '--json'], folder).succeeds()
  }
