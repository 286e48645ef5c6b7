/**
 * What the embedded broker refused, for the control centre to raise an alarm about. Somebody who does wrong does it
 * often: the first time is told at once, repetitions are gathered and told once a while, and what is remembered is
 * bounded, whoever comes.
 */

import { z } from 'zod'
import { protocolVersion } from '@imlma/protocol/wire'

export const incidentSchema = z.object({
  v: z.literal(protocolVersion),
  /** Of this telling: the same one may be heard twice, each is alarmed about once. */
  id: z.string().min(1).max(64),
  code: z.string().min(1).max(64),
  /** Who did it, as far as it is known: an identity, or an address. */
  client: z.string().max(300),
  agent: z.string().max(64).nullable(),
  /** The latest: a topic, or what the certificate and the client id say. */
  detail: z.string().max(300),
  /** How often since the broker started. */
  count: z.number().int().min(1),
  at: z.number().int().min(0),
})
export type Incident = z.infer<typeof incidentSchema>

export interface Refused extends Pick<Incident, 'code' | 'client' | 'agent'> {
  readonly detail: string
}

export interface IncidentOptions {
  /** Between two tellings of the same. */
  readonly repeatMs?: number
  /** Kinds that are told apart; what comes beyond is gathered in one of each code. */
  readonly kindsMax?: number
}

export interface Incidents {
  /** What is to be told now, with the place (a small number) that it is told at. */
  readonly add: (refused: Refused, now: number) => Telling | undefined
  /** What has been repeated and is due. */
  readonly due: (now: number) => readonly Telling[]
}

export interface Telling {
  readonly place: number
  readonly incident: Incident
}

/** `idPrefix` differs from start to start. */
export const createIncidents = (
  idPrefix: string,
  { repeatMs = 60_000, kindsMax = 256 }: IncidentOptions = {},
): Incidents => {
  interface Kind {
    readonly place: number
    latest: Refused
    count: number
    told: number
    toldAt: number
  }
  const kinds = new Map<string, Kind>()
  let tellings = 0

  const tell = (kind: Kind, now: number): Telling => {
    const { code, client, agent, detail } = kind.latest
    kind.told = kind.count
    kind.toldAt = now
    tellings += 1
    const texts = { client: client.slice(0, 300), detail: detail.slice(0, 300) }
    const id = `${idPrefix}-${tellings}`
    return {
      place: kind.place,
      incident: { v: protocolVersion, id, code, ...texts, agent, count: kind.count, at: now },
    }
  }

  return {
    add: (refused, now) => {
      const own = `${refused.code} ${refused.client}`
      const isNew = !kinds.has(own)
      const key = isNew && kinds.size >= kindsMax ? refused.code : own
      const latest = key === own ? refused : { ...refused, client: 'several', agent: null }
      const kind = kinds.get(key)
      if (kind === undefined) {
        const first = { place: kinds.size, latest, count: 1, told: 0, toldAt: now }
        kinds.set(key, first)
        return tell(first, now)
      }
      kind.latest = latest
      kind.count += 1
      return now - kind.toldAt >= repeatMs ? tell(kind, now) : undefined
    },
    due: (now) =>
      [...kinds.values()]
        .filter(({ count, told, toldAt }) => count > told && now - toldAt >= repeatMs)
        .map((kind) => tell(kind, now)),
  }
}
