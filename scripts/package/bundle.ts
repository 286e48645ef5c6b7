/**
 * The agent as JavaScript: its own sources, the protocol and every library in pure JavaScript in a few files beside each
 * other; what comes with a native library stays a package. Node strips no types below `node_modules`, and a gateway
 * should not strip any at all: that costs 18 MB.
 */

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { rolldown, type Plugin } from 'rolldown'

const agent = join(import.meta.dirname, '..', '..', 'agent')

/** Packages with a native library; `natives.ts` copies them. */
export const nativePackages = ['onnxruntime-node', 'better-sqlite3'] as const

/**
 * Optional companions that are only looked for: cbor-x decodes without its native part, better-sqlite3 and mqtt without
 * these. Asking for one that is not there is answered as ever, by an error that the library expects.
 */
const leftOut = [
  'cbor-extract',
  'bufferutil',
  'utf-8-validate',
  'serialport',
  'pino-pretty',
  'supports-color',
]

/** Files that are started or read by name, as the sources say it: `new URL('…', import.meta.url)`, or required. */
const namedFilePattern =
  /(?<before>new URL\(\s*|createRequire\(import\.meta\.url\)\(\s*)'(?<path>\.{1,2}\/[^']+)'/gu

/** `app/x.js` finds `bin/y.mjs` where `src/**` found it. */
const keepNamedFiles: Plugin = {
  name: 'keep-named-files',
  transform(code, id) {
    if (!id.startsWith(agent) || id.includes('node_modules')) return null
    return code.replaceAll(namedFilePattern, (_, before: string, path: string) => {
      const target = resolve(dirname(id), path)
      if (dirname(target) !== join(agent, 'bin') || !existsSync(target))
        this.error(`${id} names ${path}: only files of agent/bin are packaged beside the bundle`)
      return `${before}'../bin/${basename(target)}'`
    })
  },
}

/** Where mqtt is part of the bundle, so is its packet writer: nothing to look up beside it. */
const reachPacketWriter: Plugin = {
  name: 'reach-packet-writer',
  load(id) {
    if (id !== join(agent, 'src', 'link', 'packet-numbers.mqtt.ts')) return null
    const writer = createRequire(createRequire(id).resolve('mqtt')).resolve('mqtt-packet')
    return `import packet from ${JSON.stringify(writer)}
      export const keepNoPacketNumbers = () => { packet.writeToStream.cacheNumbers = false }`
  },
}

const sayVersion = (version: string): Plugin => ({
  name: 'say-version',
  load: (id) =>
    id === join(agent, 'package.json') ? { code: JSON.stringify({ version }), moduleType: 'json' } : null,
})

/** Writes `main.js` and the parts that are loaded when they are asked for. */
export const bundleAgent = async (folder: string, version: string): Promise<void> => {
  const bundle = await rolldown({
    input: { main: join(agent, 'src', 'main.ts') },
    platform: 'node',
    external: [...nativePackages, ...leftOut],
    plugins: [keepNamedFiles, reachPacketWriter, sayVersion(version)],
    logLevel: 'warn',
  })
  try {
    const { output } = await bundle.write({
      dir: folder,
      format: 'esm',
      // Names by content would do as well; these say in a stack trace where one is.
      chunkFileNames: '[name].js',
      minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
      comments: { legal: false },
    })
    // The program waits at its top level for what it loads; a part that waited for the program would wait for ever.
    const waits = output.find((part) => part.type === 'chunk' && part.imports.includes('main.js'))
    if (waits !== undefined)
      throw new Error(`${waits.fileName} imports main.js: move what they share out of main.ts`)
  } finally {
    await bundle.close()
  }
}
