/**
 * Where people and programs come in: the API and the page behind one port, who is let in, and the two tokens by which
 * whoever may read this data directory is let in without a login. Such a person holds the site's keys and database
 * anyway; the files only spare `npm start` and `imlma` a password.
 */

import { writeDurably } from '@imlma/protocol/node'
import { createApp } from '../api/routes.http.ts'
import { isLoopback, startServer, type ServerTls } from '../api/server.http.ts'
import type { Control } from '../api/control.ts'
import { openPeople } from '../api/people/open-people.crypto.ts'
import { createAssets } from '../dashboard/assets.fs.ts'
import type { Layout } from '../layout.ts'
import type { Registry } from '../registry/registry.ts'
import type { StateStore } from '../storage/states.ts'
import { every } from './every.timer.ts'

export interface FrontDoorParts {
  readonly control: Control
  readonly states: StateStore
  readonly registry: Pick<Registry, 'append'>
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

export interface FrontDoorOptions {
  readonly layout: Pick<Layout, 'operatorToken' | 'administratorToken'>
  readonly host: string
  readonly port: number
  readonly version: string
  readonly tls?: ServerTls
}

export interface FrontDoor {
  readonly url: string
  /** Where the first administrator chooses a password; undefined once there is one. Never to be logged. */
  readonly setupUrl: string | undefined
  readonly close: () => Promise<void>
}

const sweepMs = 60_000

/** Throws the `Failure`s of `startServer`, NO_SPACE, WRITE_FAILED. */
export const openFrontDoor = async (
  { control, states, registry, now, onFailure }: FrontDoorParts,
  { layout, host, port, version, tls }: FrontDoorOptions,
): Promise<FrontDoor> => {
  const record = (event: Parameters<Registry['append']>[0][number]) => registry.append([event], now())
  const people = await openPeople({ states, record, now, onFailure })
  const app = createApp(
    { control, assets: await createAssets(), people, now, onError: onFailure },
    { version, loopbackOnly: isLoopback(host), secure: tls !== undefined },
  )
  const server = await startServer(app, { host, port, ...(tls === undefined ? {} : { tls }) })
  await Promise.all([
    writeDurably(layout.operatorToken, `${people.localToken('operate')}\n`, 0o600),
    writeDurably(layout.administratorToken, `${people.localToken('administer')}\n`, 0o600),
  ])
  const endSweeps = every(sweepMs, people.sweep, onFailure)
  const secret = await people.firstSecret()
  return {
    url: server.url,
    // What comes after # is not sent to anybody, and stands in no log of a server.
    setupUrl: secret === undefined ? undefined : `${server.url}/#setup=${secret}`,
    close: async () => {
      await endSweeps()
      await server.close()
      await people.sweep()
    },
  }
}
