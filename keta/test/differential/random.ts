/** Seeded random choices: the same seed makes the same requests on every machine. */

export interface Random {
  /** A whole number in [0, bound). */
  below(bound: number): number
  /** true once in `n` calls, on average. */
  oneIn(n: number): boolean
  pick<T>(choices: readonly T[]): T
  /** Picks by weight: `[weight, value]`. */
  weighted<T>(choices: readonly (readonly [number, T])[]): T
}

/** The generator sfc32: its period and quality are ample for tests, and it needs only 32-bit arithmetic. */
export function seededRandom(seed: number): Random {
  let a = seed | 0
  let b = 0x9e3779b9 | 0
  let c = 0x243f6a88 | 0
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  for (let i = 0; i < 15; i++) next()
  const below = (bound: number): number => Math.floor((next() / 2 ** 32) * bound)
  const pick = <T>(choices: readonly T[]): T => {
    if (choices.length === 0) throw new RangeError('a choice among nothing')
    return choices[below(choices.length)] as T
  }
  return {
    below,
    pick,
    oneIn: (n) => below(n) === 0,
    weighted: (choices) => {
      let rest = below(choices.reduce((sum, [weight]) => sum + weight, 0))
      for (const [weight, value] of choices) {
        rest -= weight
        if (rest < 0) return value
      }
      throw new RangeError('a choice among nothing')
    },
  }
}
