/**
 * What was made of the same examples before: trials of a study share their examples and often what stands under the
 * model (the ridge that trees or a network correct), which takes longer than the rest of a trial.
 */

/** `key` names what is made and everything that it depends on besides the examples. */
export type Recall = <Made>(examples: object, key: string, make: () => Promise<Made>) => Promise<Made>

/** Keeps as long as the examples live. What failed is made again. */
export const createRecall = (): Recall => {
  const known = new WeakMap<object, Map<string, Promise<unknown>>>()
  return <Made>(examples: object, key: string, make: () => Promise<Made>) => {
    const ofThese = known.get(examples) ?? new Map<string, Promise<unknown>>()
    known.set(examples, ofThese)
    const before = ofThese.get(key) as Promise<Made> | undefined
    if (before !== undefined) return before
    const made = make().catch((error: unknown) => {
      ofThese.delete(key)
      throw error
    })
    ofThese.set(key, made)
    return made
  }
}
