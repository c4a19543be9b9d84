/** What was made of files, made anew when one of them has changed. */
import { statSync } from 'node:fs'

export interface ReloadingOptions<T> {
  readonly paths: readonly string[]
  /** Throws if the files are not what they must be. */
  readonly load: () => T
  readonly onReloaded: () => void
  /** What there was stays in force. Called once for a state of the files. */
  readonly onFailure: (error: unknown) => void
}

export class Reloading<T> {
  readonly #options: ReloadingOptions<T>
  #seen: string
  #value: T

  /** @throws what `load` throws */
  constructor(options: ReloadingOptions<T>) {
    this.#options = options
    // Before they are read: what changes meanwhile is read again.
    this.#seen = stateOf(options.paths)
    this.#value = options.load()
  }

  /** Looks at the files, but reads them only if they are others than before. Does not throw. */
  current(): T {
    const state = stateOf(this.#options.paths)
    if (state === this.#seen) return this.#value
    this.#seen = state
    try {
      this.#value = this.#options.load()
    } catch (error) {
      this.#options.onFailure(error)
      return this.#value
    }
    this.#options.onReloaded()
    return this.#value
  }
}

/** Differs if a file was written, replaced, made or deleted. */
function stateOf(paths: readonly string[]): string {
  return paths.map(stateOfFile).join('\n')
}

function stateOfFile(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
