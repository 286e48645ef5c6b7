/**
 * What the sources say about a setting: the documentation comment before its key in a schema. Read from the text, by the
 * constant that holds the schema, so that a comment stands where the setting is and nowhere else.
 */

/** Comments of one constant by key, and the constants that its text names. */
interface Constant {
  readonly comments: ReadonlyMap<string, string>
  readonly text: string
}

const constantPattern = /^(?:export )?const (\w+)\b/u
const keyPattern = /^\s+(\w+):/u

const toSentence = (comment: string): string =>
  comment
    .replaceAll(/^\s*\/\*\*|\s*\*\/\s*$|^\s*\*(?!\/)/gmu, ' ')
    .replaceAll(/\s+/gu, ' ')
    .trim()

export const readConstants = (text: string): ReadonlyMap<string, Constant> => {
  const constants = new Map<string, { comments: Map<string, string>; text: string }>()
  let current: { comments: Map<string, string>; text: string } | undefined
  let comment = ''
  let inComment = false
  for (const line of text.split('\n')) {
    const name = constantPattern.exec(line)?.[1]
    if (name !== undefined) {
      current = { comments: new Map(), text: '' }
      constants.set(name, current)
    }
    if (current !== undefined) current.text += `${line}\n`
    if (/^\s*\/\*\*/u.test(line)) [inComment, comment] = [true, '']
    if (inComment) {
      comment += `${line}\n`
      inComment = !line.includes('*/')
      continue
    }
    const key = keyPattern.exec(line)?.[1]
    if (key !== undefined && comment !== '' && current !== undefined && !current.comments.has(key))
      current.comments.set(key, toSentence(comment))
    comment = ''
  }
  return constants
}

/** The comment of a key in a constant, or in what the constant is made of; the nearest first. */
export const findComment = (
  constants: ReadonlyMap<string, Constant>,
  from: string,
  key: string,
): string | undefined => {
  const seen = new Set([from])
  for (const name of seen) {
    const constant = constants.get(name)
    const comment = constant?.comments.get(key)
    if (comment !== undefined) return comment
    for (const word of constant?.text.match(/\b\w+\b/gu) ?? []) if (constants.has(word)) seen.add(word)
  }
  return undefined
}
