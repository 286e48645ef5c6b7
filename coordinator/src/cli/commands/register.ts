/** `imlma register`: a model that was made elsewhere competes under the same checks and the same gate. */

import { limits } from '@imlma/protocol/limits'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { figure, grouped } from '../../api/sentences.ts'
import type { RoundView } from '../../api/views.ts'
import type { Command, Context, Outcome } from '../command.ts'
import { chooseModel } from '../model-choice.ts'

/** Usual wait for a verdict: runs that come before it included. */
const waitSecondsUsual = 1_800
const lookEveryMs = 500
/** Rounds looked through for the run: more than ever wait before it. */
const roundsLookedAt = 100

export const registerCommand: Command = {
  name: 'register',
  summary: 'let a model that was made elsewhere compete',
  words: [{ name: 'file', about: 'the model, one ONNX file' }],
  options: [
    {
      flags: '--contract <file>',
      about: 'what goes in and comes out, JSON (README, “A model made elsewhere”)',
      required: true,
    },
    {
      flags: '--model <name>',
      about: 'the model; else the one the contract names, or the only one there is',
    },
    { flags: '--note <text>', about: 'why; it is recorded' },
    { flags: '--wait', about: 'wait for the verdict' },
    { flags: '--timeout <seconds>', about: `how long to wait (default ${waitSecondsUsual})` },
  ],
  example: 'imlma register gbm.onnx --contract gbm.json --note "trial of the load research group" --wait',
  run: async (context, { words, options }) => {
    const { client } = context
    const seconds = Number(options.timeout ?? waitSecondsUsual)
    if (!(seconds > 0 && seconds <= 86_400)) {
      return refuse('USAGE', `--timeout ${String(options.timeout)} is no time`, 'seconds from 1 to 86400')
    }
    const contract = await readContract(context, String(options.contract))
    if (!contract.ok) return contract
    const model = await chooseModel(client, options.model ?? contract.value['model']?.toString())
    if (!model.ok) return model
    const file = await context.readFile(words[0] ?? '', limits.artifactBytesMax)
    context.say(`sending ${grouped(file.bytes.length)} bytes, sha256 ${file.sha256}`)
    await client.upload(file.sha256, file.bytes)
    const note = typeof options.note === 'string' ? options.note : ''
    const { run, waitsFor } = await client.register(model.value, {
      artifact: file.sha256,
      contract: contract.value,
      note,
    })
    const begun = { model: model.value, run, waitsFor, artifact: file.sha256 }
    if (options.wait !== true) {
      const place = waitsFor === 0 ? 'is under way' : `waits for ${waitsFor} run${waitsFor === 1 ? '' : 's'}`
      return accept({ text: `${run} of ${model.value} ${place}; follow it with: imlma status`, json: begun })
    }
    context.say(waitsFor === 0 ? `${run} is under way` : `${run} waits for ${waitsFor} other`)
    const round = await follow(context, run, seconds)
    return round === undefined
      ? refuse(
          'NO_VERDICT',
          `${run} has no verdict after ${seconds} s`,
          'it goes on; look with: imlma versions',
        )
      : tell(begun, round)
  },
}

const readContract = async (
  { readFile }: Context,
  path: string,
): Promise<Result<Readonly<Record<string, unknown>>>> => {
  const { bytes } = await readFile(path, limits.envelopeBytesMax)
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
      return accept(document as Readonly<Record<string, unknown>>)
    }
    return refuse('MALFORMED', `${path} holds no JSON object`, 'the README shows a contract file')
  } catch (error) {
    return refuse(
      'MALFORMED',
      `${path} is no JSON: ${(error as Error).message}`,
      'the README shows a contract file',
    )
  }
}

/** The round as soon as it is decided or has failed; undefined where that takes too long. */
const follow = async (
  { client, pause, say }: Context,
  run: string,
  secondsMax: number,
): Promise<RoundView | undefined> => {
  let version: number | null = null
  for (let looks = 0; looks * lookEveryMs < secondsMax * 1_000; looks++) {
    const round = (await client.rounds(roundsLookedAt)).find((candidate) => candidate.run === run)
    if (round !== undefined && round.state !== 'running') return round
    if (round !== undefined && round.version !== version) {
      version = round.version
      say(`examined: it is version ${version}; the gate looks at it`)
    }
    await pause(lookEveryMs)
  }
  return undefined
}

const tell = (begun: object, round: RoundView): Result<Outcome> => {
  const { failure, version, verdict, champion, challenger, reasons } = round
  if (failure !== null) return refuse(failure.code, failure.message, failure.hint)
  const standing = champion?.version ?? null
  const against = standing === null ? 'the seasonal-naive baseline' : `version ${standing}`
  const lines = [
    `${verdict}: version ${version} against ${against} on ${grouped(challenger?.rows ?? 0)} forecasts`,
    ...(['mse', 'mae', 'r2'] as const).map(
      (name) => `  ${name} ${figure(challenger?.[name] ?? null)} against ${figure(champion?.[name] ?? null)}`,
    ),
    ...reasons.map((reason) => `  ${reason}`),
  ]
  return accept({
    text: lines.join('\n'),
    json: { ...begun, version, verdict, reasons, champion, challenger },
  })
}
