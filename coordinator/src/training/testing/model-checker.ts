/**
 * ONNX's own checker over model files: structure, operators of the versions that a file states, and the types and
 * shapes that it declares against those that the checker infers. The reference implementation in Python does it,
 * Debian's `python3-onnx`: no JavaScript runtime is as strict. One process checks all, as most of it is its start.
 */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { encodeModel } from '../model.protobuf.ts'
import type { Graph } from '../graph.ts'

/** Debian's: another `python3` that comes first in the path does not see its packages. */
const python = '/usr/bin/python3'

const startsWith = (program: string): boolean => {
  try {
    execFileSync(python, ['-c', program], { stdio: 'ignore', timeout: 20_000 })
    return true
  } catch {
    return false
  }
}

export const isCheckerMissing = !startsWith('import onnx')
export const howToGetChecker =
  'python3-onnx is missing: apt-get install -y --no-install-recommends python3-onnx'

/**
 * What ONNX 1.12 knows (2022, Debian 12): gateways are older than the machine that trains. The checker itself takes
 * an operator set that it does not know for its newest one.
 */
const known = { ir: 8, operatorSets: { '': 17, 'ai.onnx.ml': 3 } }

/** Prints a JSON object: the complaint by file. Arguments: what is known, the files. */
const program = `
import json, sys, onnx
known = json.loads(sys.argv[1])
def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= known['ir'], f'states IR version {model.ir_version}'
    for one in model.opset_import:
        newest = known['operatorSets'].get(one.domain, 0)
        assert one.version <= newest, f'states version {one.version} of operator set "{one.domain}"'
complaints = {}
for path in sys.argv[2:]:
    try:
        check(path)
    except Exception as cause:
        complaints[path] = str(cause)
print(json.dumps(complaints))
`

/** What the checker objects to, by the name of the graph; empty where all are right. */
export const complaintsAbout = async (
  graphs: ReadonlyMap<string, Graph>,
): Promise<Readonly<Record<string, string>>> => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-checker-'))
  try {
    const files = [...graphs].map(([name, graph], i) => ({ name, graph, path: join(folder, `${i}.onnx`) }))
    for (const { graph, path } of files) await writeFile(path, encodeModel(graph))
    const paths = files.map(({ path }) => path)
    const words = ['-c', program, JSON.stringify(known), ...paths]
    const { stdout } = await promisify(execFile)(python, words, { timeout: 60_000 })
    const complaints = JSON.parse(stdout) as Readonly<Record<string, string>>
    return Object.fromEntries(
      files.flatMap(({ name, path }) => {
        const complaint = complaints[path]
        return complaint === undefined ? [] : [[name, complaint]]
      }),
    )
  } finally {
    await rm(folder, { recursive: true })
  }
}
