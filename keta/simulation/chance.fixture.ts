/**
 * Seeded chance as a tree: each part of the simulation draws from a branch of its own, so that one part's draws do not
 * shift another's.
 */
import { type Random, seededRandom } from '../test/differential/random.ts'

export interface Chance extends Random {
  /** In [0, 1). */
  fraction(): number
  /** True with this probability. */
  happens(probability: number): boolean
  /** A number in [low, high), evenly. */
  between(low: number, high: number): number
  /** Mostly near `low`, seldom near `high`: how delays are. */
  skewed(low: number, high: number): number
  bytes(count: number): Uint8Array
  branch(label: string): Chance
}

const FINEST = 2 ** 30

export function chanceOf(seed: number): Chance {
  const random = seededRandom(seed)
  const fraction = (): number => random.below(FINEST) / FINEST
  return {
    ...random,
    fraction,
    happens: (probability) => fraction() < probability,
    between: (low, high) => low + fraction() * (high - low),
    skewed: (low, high) => low + fraction() ** 4 * (high - low),
    bytes: (count) => Uint8Array.from({ length: count }, () => random.below(256)),
    branch: (label) => chanceOf(mix(seed, label)),
  }
}

/** FNV-1a over the seed and the label. */
function mix(seed: number, label: string): number {
  let hash = 0x811c9dc5 ^ seed
  hash = Math.imul(hash, 0x01000193)
  for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193)
  return hash | 0
}
