/** What happened, as a hash by which two runs of a seed are compared, and to read if asked for. */
export class Trace {
  readonly #write: ((line: string) => void) | undefined
  #hash = 0x811c9dc5

  /** @param write takes the lines of a readable trace. */
  constructor(write?: (line: string) => void) {
    this.#write = write
  }

  get hash(): number {
    return this.#hash >>> 0
  }

  get isReadable(): boolean {
    return this.#write !== undefined
  }

  /** @param who the node, or 0 for the world around the nodes. */
  step(now: number, who: number, what: string): void {
    this.#mix(Math.round(now * 1000))
    this.#mix(who)
    for (let i = 0; i < what.length; i++) this.#mix(what.charCodeAt(i))
  }

  /** Only for reading: made only if somebody does. */
  note(now: number, who: number, line: () => string): void {
    if (this.#write !== undefined)
      this.#write(`${now.toFixed(1).padStart(9)} ${who === 0 ? '  ' : `n${who}`} ${line()}`)
  }

  #mix(number: number): void {
    this.#hash = Math.imul(this.#hash ^ number, 0x01000193)
  }
}
