/** Writes everything that Mosquitto needs to be the broker of this data directory's site, into one folder. */

import { mkdir } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { writeDurably } from '@imlma/protocol/node'
import { toMosquitto } from '../broker/mosquitto.ts'
import { partNames } from '../certified.fs.ts'
import { publicHosts } from '../public-hosts.os.ts'
import { openAuthority, openTlsMaterial } from '../trust/pki/index.ts'

export interface MosquittoExport {
  readonly folder: string
  readonly port: number
  readonly plainPort: number | undefined
  /** Names under which the broker is reached, for its certificate; those of this machine where none is given. */
  readonly hosts: readonly string[]
}

/** The folder is for Mosquitto alone: it holds the key of its certificate. */
export const exportMosquitto = async (
  dataDir: string,
  { folder: given, port, plainPort, hosts }: MosquittoExport,
): Promise<{ site: string; files: readonly string[] }> => {
  const pki = join(dataDir, 'trust', 'pki')
  const authority = await openAuthority(pki)
  const { site } = authority
  const folder = resolve(given)
  const names = publicHosts('0.0.0.0', hosts)
  const own = { kind: 'broker', site, name: 'mosquitto', hosts: names } as const
  const { ca, cert, key } = await openTlsMaterial(pki, own, { file: 'mosquitto.pem' })
  await mkdir(join(folder, 'state'), { recursive: true, mode: 0o700 })
  const texts = {
    ...toMosquitto({
      site,
      folder,
      user: userInfo().username,
      port,
      plainPort,
      coordinators: Object.values(partNames),
    }),
    'ca.pem': ca,
    'broker.pem': cert,
    'denied.crl': await authority.revocationList(),
  }
  for (const [name, text] of Object.entries(texts)) await writeDurably(join(folder, name), text)
  await writeDurably(join(folder, 'broker.key'), key, 0o600)
  return { site, files: [...Object.keys(texts), 'broker.key'].map((name) => join(folder, name)) }
}
