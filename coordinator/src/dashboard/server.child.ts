/** The page and the API on the fixture, for working on the page: `node …/server.child.ts [PORT] [empty]`. */

import { createAssets } from './assets.fs.ts'
import { createApp } from '../api/routes.http.ts'
import { startServer } from '../api/server.http.ts'
import { createControlFixture } from '../api/testing/control-fixture.ts'

const [port = '0', mode] = process.argv.slice(2)
const control = createControlFixture({ now: Date.now(), empty: mode === 'empty' })
const app = createApp(
  { control, assets: await createAssets(), onError: (error) => console.error(error) },
  { version: '0.1.0', loopbackOnly: true },
)
const server = await startServer(app, { host: '127.0.0.1', port: Number(port) })
console.log(server.url)
const ticking = setInterval(() => control.advance(120, Date.now()), 2_000)
process.once('SIGTERM', () => {
  clearInterval(ticking)
  void server.close()
})
