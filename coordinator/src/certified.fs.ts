/**
 * What the parts of a certified site show each other: the broker its certificate and the list of denials, the control
 * centre's own connections theirs. A site is certified as soon as it has a certificate authority.
 */

import { readFile } from 'node:fs/promises'
import { Failure } from '@imlma/protocol/result'
import type { CertifiedOptions } from './broker/doors.tls.ts'
import { publicHosts } from './public-hosts.os.ts'
import type { Settings } from './settings.commander.ts'
import {
  authorityExists,
  createUseNotes,
  openDeniedList,
  openTlsMaterial,
  readCa,
  type TlsMaterial,
} from './trust/pki/index.ts'

/** What the certified door is opened with, and its certificate again when it is due. */
export interface CertifiedBroker {
  readonly door: CertifiedOptions
  readonly renewed: () => Promise<TlsMaterial>
}

type BrokerSettings = Pick<Settings, 'host' | 'mqttsPort' | 'publicHost'>

/** Undefined in an open site. `pki` is `<dataDir>/trust/pki`. Throws the `Failure`s of `openTlsMaterial`. */
export const openCertifiedBroker = async (
  { host, mqttsPort, publicHost }: BrokerSettings,
  pki: string,
): Promise<CertifiedBroker | undefined> => {
  if (!(await authorityExists(pki))) return undefined
  const { site } = await readCa(pki)
  const hosts = [...new Set([...publicHosts(host, publicHost), 'localhost', '127.0.0.1'])]
  const renewed = (): Promise<TlsMaterial> =>
    openTlsMaterial(pki, { kind: 'broker', site, name: 'broker', hosts })
  const material = await renewed()
  const denied = openDeniedList(pki)
  const noteUse = createUseNotes(pki, Date.now)
  return { door: { host, port: mqttsPort, material, denied, noteUse }, renewed }
}

/**
 * Names in the certificates of the control centre's own connections, one each: a broker that takes the certificate's
 * name for the client's keeps them apart. No agent has a name that begins so.
 */
export const partNames = { control: '_control', ingest: '_ingest' } as const

type ClientSettings = Pick<Settings, 'brokerCa' | 'brokerCert' | 'brokerKey'>

/**
 * What a connection of the control centre shows to the broker at `url`, asked for before each connect: the files that
 * were named, or else a certificate of the site's authority.
 */
export const brokerTlsOf = async (
  settings: ClientSettings,
  pki: string,
  url: string,
  part: keyof typeof partNames,
): Promise<(() => Promise<Partial<TlsMaterial>>) | undefined> => {
  if (!url.startsWith('mqtts:')) return undefined
  const { brokerCa, brokerCert, brokerKey } = settings
  if (brokerCa !== undefined || brokerCert !== undefined || brokerKey !== undefined) {
    return () => readFiles(settings)
  }
  if (!(await authorityExists(pki))) return undefined
  const { site } = await readCa(pki)
  const identity = { kind: 'coordinator', site, name: partNames[part] } as const
  return () => openTlsMaterial(pki, identity, { file: `coordinator-${part}.pem` })
}

const readFiles = async ({
  brokerCa,
  brokerCert,
  brokerKey,
}: ClientSettings): Promise<Partial<TlsMaterial>> => {
  if ((brokerCert === undefined) !== (brokerKey === undefined)) {
    throw new Failure('CERTIFICATE_UNREADABLE', 'a certificate needs its key', {
      hint: 'give both, --broker-cert and --broker-key, or none of them',
    })
  }
  const [ca, cert, key] = await Promise.all([
    readPem(brokerCa, '--broker-ca'),
    readPem(brokerCert, '--broker-cert'),
    readPem(brokerKey, '--broker-key'),
  ])
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

const readPem = async (path: string | undefined, option: string): Promise<string | undefined> => {
  if (path === undefined) return undefined
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Failure('CERTIFICATE_UNREADABLE', `${path} cannot be read`, {
      cause,
      hint: `correct ${option}`,
    })
  })
}
