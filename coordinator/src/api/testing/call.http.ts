/** The app on the fixture, asked without a socket. */

import type { z } from 'zod'
import type { People } from '../people/people.ts'
import { createApp, type AppOptions } from '../routes.http.ts'
import { createPeopleFixture } from './people-fixture.ts'
import { createControlFixture, type ControlFixture, type FixtureOptions } from './control-fixture.ts'

export const fixtureNow = Date.UTC(2026, 4, 11, 9, 30)

export const createTestApp = (
  options: Partial<AppOptions> = {},
  fixture: Partial<FixtureOptions> = {},
  control: ControlFixture = createControlFixture({ now: fixtureNow, ...fixture }),
  people: People = createPeopleFixture(),
) => {
  const errors: unknown[] = []
  const page = { content: new TextEncoder().encode('<!doctype html>'), mediaType: 'text/html', etag: '"1"' }
  const assets = {
    importMapHash: 'aGFzaA==',
    find: async (path: string) => (path === '/' ? page : undefined),
  }
  const app = createApp(
    { control, assets, people, now: () => fixtureNow, onError: (error) => errors.push(error) },
    { version: '0.1.0', loopbackOnly: true, ...options },
  )
  const usual = { host: '127.0.0.1:4600', authorization: 'Bearer operate' }
  const get = (path: string, headers: Record<string, string> = {}) =>
    app.request(path, { headers: { ...usual, ...headers } })
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { ...usual, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  /** The answer, held against its schema: nothing missing, nothing of another type. */
  const read = async <View>(schema: z.ZodType<View>, path: string): Promise<View> =>
    schema.parse(await (await get(`/api/v1/${path}`)).json())
  return { app, control, errors, get, post, read }
}
