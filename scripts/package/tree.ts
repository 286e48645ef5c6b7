/**
 * The files of the package as they will lie on a gateway, below a folder:
 *
 *   usr/bin/imlma-agent            starts the rest with the flags of `agent/bin/small.json`
 *   usr/lib/imlma-agent/           bin/node, app/ (the bundle), bin/*.mjs (processes of its own), node_modules/ (natives)
 *   lib/systemd/system/            the service
 *   etc/imlma-agent/agent.json     the configuration, the administrator's
 *   usr/share/{doc,man,lintian}/   what people and checkers read
 */

import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import small from '@imlma/agent/small' with { type: 'json' }
import { bundleAgent } from './bundle.ts'
import { copyNatives } from './natives.ts'
import { copyRuntime, openRuntime, type Architecture } from './runtime.ts'

const agent = join(import.meta.dirname, '..', '..', 'agent')
const debian = join(import.meta.dirname, 'debian')

interface Options {
  readonly architecture: Architecture
  readonly version: string
  /** Of the newest entry of the changelog. */
  readonly date: Date
}

export const writeTree = async (root: string, { architecture, version, date }: Options): Promise<void> => {
  const put = (path: string, content: string | Uint8Array, mode = 0o644): void => {
    const file = join(root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    chmodSync(file, mode)
  }
  const template = (name: string): string => readFileSync(join(debian, name), 'utf8')
  const program = 'usr/lib/imlma-agent'

  await bundleAgent(join(root, program, 'app'), version)
  copyNatives(architecture, join(root, program, 'node_modules'))
  copyRuntime(architecture, join(root, program, 'bin', 'node'))
  for (const name of readdirSync(join(agent, 'bin'))) {
    const isLauncher = name === 'imlma-agent.mjs'
    if (name.endsWith('.mjs') && !isLauncher)
      put(`${program}/bin/${name}`, readFileSync(join(agent, 'bin', name)))
  }
  // The flags' file lies where the sources have it, for what reads it at run time.
  copyFileSync(join(agent, 'bin', 'small.json'), join(root, program, 'bin', 'small.json'))
  put('usr/bin/imlma-agent', launcher, 0o755)

  put('lib/systemd/system/imlma-agent.service', template('imlma-agent.service'))
  put('etc/imlma-agent/agent.json', template('agent.json'))
  put('usr/share/man/man1/imlma-agent.1.gz', pack(template('imlma-agent.1')))
  put('usr/share/lintian/overrides/imlma-agent', template('lintian-overrides'))
  const doc = 'usr/share/doc/imlma-agent'
  put(`${doc}/copyright`, template('copyright'))
  put(`${doc}/changelog.gz`, pack(toChangelog(version, date)))
  put(`${doc}/CONFIGURATION.md`, readFileSync(join(agent, 'CONFIGURATION.md')))
  put(`${doc}/node-notices.gz`, pack(readFileSync(join(openRuntime(architecture), 'LICENSE'), 'utf8')))
}

/** No time and no name inside, and as small as it gets: Debian asks for both. */
const pack = (text: string): Uint8Array => gzipSync(text, { level: 9 })

const environment = Object.entries(small.env)
  .map(([name, value]) => `: "\${${name}:=${value}}"\nexport ${name}`)
  .join('\n')

const launcher = `#!/bin/sh
# Small from its birth: flags and environment are explained in the sources, agent/bin/imlma-agent.mjs.
${environment}
exec /usr/lib/imlma-agent/bin/node ${small.execArgv.join(' ')} /usr/lib/imlma-agent/app/main.js "$@"
`

const toChangelog = (version: string, date: Date): string =>
  `imlma-agent (${version}) stable; urgency=medium

  * The agent of this version; what changed is in the project's history.

 -- IMLMA maintainers <maintainers@imlma.invalid>  ${date.toUTCString().replace('GMT', '+0000')}
`
