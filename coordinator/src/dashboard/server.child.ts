/** The page and the API on the fixture, for working on the page: `node …/server.child.ts [PORT] [empty]`. */

import { createAssets } from './assets.fs.ts'
import { createApp } from '../api/routes.http.ts'
import { startServer } from '../api/server.http.ts'
import { letIn, openTestPeople, testPassword } from '../api/testing/open-test-people.kysely.ts'
import { createControlFixture } from '../api/testing/control-fixture.ts'

const [port = '0', mode] = process.argv.slice(2)
const control = createControlFixture({ now: Date.now(), empty: mode === 'empty' })
const { people } = await openTestPeople({}, Date.now())
await letIn(people, 'admin', 'administrator')
const app = createApp(
  { control, assets: await createAssets(), people, now: Date.now, onError: (error) => console.error(error) },
  { version: '0.1.0', loopbackOnly: true },
)
const server = await startServer(app, { host: '127.0.0.1', port: Number(port) })
console.log(`${server.url}  admin, ${testPassword}`)
const ticking = setInterval(() => control.advance(120, Date.now()), 2_000)
process.once('SIGTERM', () => {
  clearInterval(ticking)
  void server.close()
})
