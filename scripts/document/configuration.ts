/**
 * `agent/CONFIGURATION.md` from the schema: every setting with what is allowed, its default, and the sentence about it in
 * the sources. A setting without a sentence is listed without one, and the test beside this file counts those.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { configurationSchema } from '@imlma/agent/configuration'
import { findComment, readConstants } from './doc-comments.ts'

const agent = join(import.meta.dirname, '..', '..', 'agent')
export const documentFile = join(agent, 'CONFIGURATION.md')

/** What JSON Schema says of one setting, as far as it is shown. */
interface Shape {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  readonly items?: Shape
  readonly additionalProperties?: Shape | boolean
  readonly anyOf?: readonly Shape[]
  readonly oneOf?: readonly Shape[]
}

export interface Setting {
  readonly path: string
  readonly allowed: string
  readonly default: string
  readonly sentence: string | undefined
}

const number = (value: number): string =>
  Number.isInteger(value) ? value.toLocaleString('en') : String(value)

const between = (least: string | undefined, most: string | undefined): string => {
  if (least !== undefined && most !== undefined) return `${least} to ${most}`
  if (least !== undefined) return `${least} or more`
  return most === undefined ? '' : `up to ${most}`
}
const optional = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : number(value)

const toAllowed = (shape: Shape): string => {
  const forms = shape.anyOf ?? shape.oneOf
  if (forms !== undefined) return [...new Set(forms.map(toAllowed))].join(', or ')
  if (shape.const !== undefined) return `\`${JSON.stringify(shape.const)}\``
  if (shape.enum !== undefined) return shape.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ')
  const least =
    shape.exclusiveMinimum === undefined
      ? optional(shape.minimum)
      : `more than ${number(shape.exclusiveMinimum)}`
  const most = optional(shape.maximum ?? shape.exclusiveMaximum)
  switch (shape.type) {
    case 'integer':
    case 'number':
      return `${shape.type} ${between(least, most)}`.trim()
    case 'string': {
      const size = between(optional(shape.minLength), optional(shape.maxLength))
      return size === '' ? 'text' : `text of ${size} characters`
    }
    case 'array': {
      const size = between(optional(shape.minItems), optional(shape.maxItems))
      return `list of ${size === '' ? '' : `${size} `}${shape.items === undefined ? 'values' : toAllowed(shape.items)}`
    }
    case 'object':
      return typeof shape.additionalProperties === 'object' ? 'object by name' : 'object'
    default:
      return shape.type ?? 'anything'
  }
}

const readSources = () => {
  const folder = join(agent, 'src')
  const files = ['configuration.ts', 'serving/baseline.ts', '../../protocol/src/manifest/manifest.ts']
  const sources = readdirSync(join(folder, 'sources'), { recursive: true })
    .map(String)
    .filter((name) => /config[\w-]*\.ts$/u.test(name))
    .toSorted()
  const text = [...files, ...sources.map((name) => `sources/${name}`)].map((name) =>
    readFileSync(join(folder, name), 'utf8'),
  )
  return readConstants(text.join('\n'))
}

const createReader = () => {
  const constants = readSources()
  const settings: Setting[] = []
  /** `within`: the constant whose comments hold here. */
  const add = (shape: Shape, path: string, within: string): void => {
    const inner = shape.type === 'array' && shape.items?.properties !== undefined ? shape.items : shape
    const mark = inner === shape ? '' : '[]'
    for (const form of inner.anyOf ?? inner.oneOf ?? [inner]) {
      for (const [key, value] of Object.entries(form.properties ?? {})) {
        const where = path === '' ? key : `${path}${mark}.${key}`
        const isNeeded = form.required?.includes(key) === true && value.default === undefined
        const setting = {
          path: where,
          allowed: toAllowed(value),
          default:
            value.default === undefined
              ? isNeeded
                ? 'needed'
                : 'none'
              : `\`${JSON.stringify(value.default)}\``,
          sentence: findComment(constants, within, key),
        }
        if (!settings.some((each) => each.path === where)) settings.push(setting)
        if (where !== 'sources') add(value, where, within)
      }
    }
    if (typeof inner.additionalProperties === 'object')
      add(inner.additionalProperties, `${path}${mark}.*`, within)
  }
  const takeSettings = (shape: Shape, within: string): readonly Setting[] => {
    settings.length = 0
    add(shape, '', within)
    return [...settings]
  }
  /** The constant that says of which kind a source is. */
  const constantOfKind = (kind: string): string =>
    [...constants].find(([, { text }]) => text.includes(`z.literal('${kind}')`))?.[0] ?? 'sourceConfigSchema'
  return { takeSettings, constantOfKind }
}

/** The agent's settings, and those of each kind of source. */
export const readSettings = () => {
  const schema = configurationSchema.toJSONSchema({
    io: 'input',
    unrepresentable: 'any',
    reused: 'inline',
  }) as Shape
  const { takeSettings, constantOfKind } = createReader()
  const kinds = schema.properties?.['sources']?.items
  return {
    agent: takeSettings(schema, 'configurationSchema'),
    sources: (kinds?.oneOf ?? kinds?.anyOf ?? []).map((kind) => {
      const name = String(kind.properties?.['kind']?.const)
      return { kind: name, settings: takeSettings(kind, constantOfKind(name)) }
    }),
  }
}

const toTable = (settings: readonly Setting[]): string =>
  [
    '| setting | allowed | default | what it is, and why |',
    '|---|---|---|---|',
    ...settings.map(
      ({ path, allowed, default: usual, sentence = '' }) =>
        `| \`${path}\` | ${[allowed, usual, sentence].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
    ),
  ].join('\n')

const faults = readFileSync(join(import.meta.dirname, 'faults.md'), 'utf8')

export const toDocument = (): string => {
  const { agent: settings, sources } = readSettings()
  return `<!-- Written by scripts/document/main.ts from the schema and its comments; \`npm run document\` writes it anew. -->

# Configuration of an agent

One JSON file, named by \`--config\`; the packaged service reads \`/etc/imlma-agent/agent.json\`. \`imlma-agent check --config FILE\`
says everything that is wrong with it at once. What the command line says comes before it.

On SIGHUP (\`systemctl reload imlma-agent\`) it is read again: sources that changed start anew at their stored place, so no
reading is lost or doubled; the others go on undisturbed, and the log's level changes. Every other setting waits for a restart, and
the log says which. A file that is wrong changes nothing: all runs on as it was, and the log says what is wrong.

Units are in the names: Ms milliseconds, Bytes bytes, PerSecond a second of real time.

## Settings

${toTable(settings)}

## Sources

Each entry of \`sources\` has a \`kind\`, and what that kind needs.

${sources.map(({ kind, settings: ofKind }) => `### \`${kind}\`\n\n${toTable(ofKind.filter(({ path }) => path !== 'kind'))}`).join('\n\n')}

${faults}`
}
