/**
 * `imlma lineage`: where a version comes from, step by step, with the hashes that prove it; of a version by its number, by
 * the digest of its bytes, or of whatever an agent serves now.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { LineageView } from '../../api/views.ts'
import type { Arguments, Command, Context } from '../command.ts'
import { chooseModel, parseVersion } from '../model-choice.ts'
import { printTime } from '../print.ts'
import { findByAgent, findByDigest, type Served } from '../served.ts'

export const lineageCommand: Command = {
  name: 'lineage',
  summary: 'where a version comes from, with the hashes that prove it',
  words: [
    { name: 'model', about: 'name of the model; may be left out where there is only one', optional: true },
    { name: 'version', about: 'the version', optional: true },
  ],
  options: [
    { flags: '--digest <sha256>', about: 'the version whose bytes have this SHA-256' },
    { flags: '--agent <name>', about: 'what this agent serves now, by the digest that it names' },
  ],
  example: 'imlma lineage --agent gw-1',
  run: async (context, given) => {
    const wanted = await choose(context, given)
    if (!wanted.ok) return wanted
    const lineages: LineageView[] = []
    for (const { model, version } of wanted.value) lineages.push(await context.client.lineage(model, version))
    const isNamed = wanted.value.length > 1 || given.words.length === 0
    return accept({
      text: lineages.map((lineage) => tell(lineage, isNamed)).join('\n\n'),
      json: given.words.length === 0 ? lineages : lineages[0],
    })
  },
}

const choose = async (
  { client }: Context,
  { words, options }: Arguments,
): Promise<Result<readonly Served[]>> => {
  const { digest, agent } = options
  if ([digest, agent, words[0]].filter((each) => each !== undefined).length !== 1) {
    return refuse('USAGE', 'name a version, or --digest, or --agent', 'imlma lineage --help shows how')
  }
  if (typeof digest === 'string') return findByDigest(client, digest)
  if (typeof agent === 'string') return findByAgent(client, agent)
  const [named, number] = words.length === 1 ? [undefined, words[0]] : words
  const version = parseVersion(number)
  if (!version.ok) return version
  const model = await chooseModel(client, named)
  return model.ok ? accept([{ model: model.value, version: version.value }]) : model
}

const tell = (lineage: LineageView, isNamed: boolean): string => {
  const line = lineage.ancestors.map((ancestor) => `v${ancestor.version} (${ancestor.state})`).join(' <- ')
  const steps = lineage.steps.flatMap(({ at, title, detail, sha256 }) => [
    `${at === null ? ' '.repeat(20) : printTime(at)}  ${title}${detail === '' ? '' : `: ${detail}`}`,
    ...(sha256 === null ? [] : [`${' '.repeat(22)}sha256 ${sha256}`]),
  ])
  const checks = lineage.checks.map(
    ({ name, passed, detail }) => `${' '.repeat(22)}${passed ? 'ok ' : 'NOT'} ${name}: ${detail}`,
  )
  const gate = checks.length === 0 ? [] : ['', 'conditions of the gate', ...checks]
  return [...(isNamed ? [lineage.model] : []), line, '', ...steps, ...gate].join('\n')
}
