/** Reproducible numbers for the fixture. */

/** Uniform in [0, 1). Source: mulberry32 by Tommy Ettinger, public domain. */
export const createRandom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Something that looks like a SHA-256 and is always the same for the same name. */
export const fakeSha256 = (name: string): string => {
  let seed = 2_166_136_261
  for (const character of name) seed = Math.imul(seed ^ character.charCodeAt(0), 16_777_619)
  const random = createRandom(seed)
  return Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join('')
}
