/** Chance that can be repeated: the same numbers for the same text. */
import { randomBytes } from 'node:crypto'

/** Uniform in [0, 1), as `Math.random`; not for secrets. */
export function seeded(text: string): () => number {
  return uniform(hashOf(text))
}

/** The same for the same 32 bits: mulberry32. */
export function uniform(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A seed for a run that was not given one: short enough to be copied by hand. */
export function freshSeed(): string {
  return randomBytes(4).toString('hex')
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}
