/** Tells incidents on topics of their own, retained: the control centre may be away when something happens. */

import { randomUUID } from 'node:crypto'
import { incidentPrefix } from './access.ts'
import { createIncidents, type IncidentOptions, type Refused, type Telling } from './incidents.ts'

export interface IncidentChannel {
  readonly note: (refused: Refused) => void
  readonly close: () => void
}

/** How often it is looked whether something that was repeated is due. */
const reviewMs = 5_000

export const createIncidentChannel = (
  publishRetained: (topic: string, payload: Buffer) => void,
  options: IncidentOptions,
): IncidentChannel => {
  const incidents = createIncidents(randomUUID().slice(0, 8), options)
  const tell = ({ place, incident }: Telling): void =>
    publishRetained(`${incidentPrefix}/${place}`, Buffer.from(JSON.stringify(incident)))
  const timer = setInterval(() => incidents.due(Date.now()).forEach(tell), reviewMs)
  return {
    note: (refused) => {
      const telling = incidents.add(refused, Date.now())
      if (telling !== undefined) tell(telling)
    },
    close: () => clearInterval(timer),
  }
}
