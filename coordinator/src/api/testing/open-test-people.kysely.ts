/** People as they are, with a clock that a test turns and a store in memory. */

import type { RegistryEvent } from '../../registry/events.ts'
import { openDatabase } from '../../storage/database.sqlite.ts'
import { createStateStore } from '../../storage/states.kysely.ts'
import { openPeople, type PeopleOptions } from '../people/open-people.crypto.ts'
import type { People } from '../people/people.ts'
import type { UserRole } from '../people/roles.ts'
import { fixtureNow } from './call.http.ts'

export const testPassword = 'correct horse battery'

export const openTestPeople = async (options: PeopleOptions = {}, startedAt = fixtureNow) => {
  let now = startedAt
  const events: RegistryEvent[] = []
  const failures: unknown[] = []
  const states = createStateStore(openDatabase(':memory:'))
  const parts = {
    states,
    record: async (event: RegistryEvent) => events.push(event),
    now: () => now,
    onFailure: (error: unknown) => failures.push(error),
  }
  // A hash that costs a hundredth: what is tested is what comes of it.
  const cheap = { passwords: { memoryKib: 64, passes: 2 }, ...options }
  return {
    people: await openPeople(parts, cheap),
    events,
    failures,
    states,
    now: () => now,
    pass: (ms: number): void => {
      now += ms
    },
    /** What a restart of the process finds. */
    reopen: () => openPeople(parts, cheap),
  }
}

/** A user with the usual password. */
export const letIn = async (people: People, name: string, role: UserRole): Promise<void> => {
  const invited = await people.addUser(name, role, 'test')
  if (!invited.ok) throw new Error(invited.refusal.message)
  const set = await people.setUp(invited.value.secret, testPassword, 'inside')
  if (!set.ok) throw new Error(set.refusal.message)
}
