/**
 * What the embedded broker keeps for a session is what its client may hear. Of a SUBSCRIBE with several filters the
 * broker stores all as soon as one is granted: the refused ones would gather messages for others, and hand them out at
 * the next connect.
 */

import type { Aedes, Client } from 'aedes'

interface Filter {
  readonly topic: string
}

/** The part of aedes' persistence that stores subscriptions, as far as it is used here. */
interface Subscriptions {
  addSubscriptions: (client: Client, filters: readonly Filter[]) => Promise<void>
}

export const guardSessions = (aedes: Aedes, isGranted: (client: Client, filter: string) => boolean): void => {
  const { persistence } = aedes as unknown as { readonly persistence: Subscriptions }
  const add = persistence.addSubscriptions.bind(persistence)
  persistence.addSubscriptions = (client, filters) =>
    add(
      client,
      filters.filter(({ topic }) => isGranted(client, topic)),
    )
}
