/** Those who follow something: told all of it once the log has been read to its end, then what each file changes. */
import type { Follow, FollowSink } from 'keta/backends/shared'
import { type Clock, isCoordinationError } from 'keta/spi'
import type { Touched } from './state.ts'

/** What is followed: all that there may be of it, and what is to be told of a change; undefined: nothing. */
export interface Subject<T> {
  all(): Iterable<Touched>
  told(touched: Touched): readonly [name: string, now: T | undefined] | undefined
}

export interface FollowsOptions {
  readonly clock: Clock
  readonly retryMs: number
  /** Resolves when the state shows all that has been acknowledged to anybody. */
  sync(): Promise<void>
}

type Tell = (touched: readonly Touched[] | 'everything') => void

export class Follows {
  readonly #options: FollowsOptions
  readonly #active = new Set<Tell>()

  constructor(options: FollowsOptions) {
    this.#options = options
  }

  tell(touched: readonly Touched[] | 'everything'): void {
    for (const tell of [...this.#active]) tell(touched)
  }

  add<T>(subject: Subject<T>, sink: FollowSink<T>): Follow {
    const closing = new AbortController()
    const tell: Tell = (touched) => {
      const isAll = touched === 'everything'
      const told = [...(isAll ? subject.all() : touched)]
        .map((one) => subject.told(one))
        .filter((one) => one !== undefined)
      if (isAll) sink.reset(new Map(told.filter((one): one is readonly [string, T] => one[1] !== undefined)))
      else if (told.length > 0) sink.changed(new Map(told))
    }
    const begin = async () => {
      try {
        await this.#firstSync(closing.signal)
      } catch (error) {
        if (!closing.signal.aborted && error instanceof Error) sink.failed(error)
        throw error
      }
      if (closing.signal.aborted) return
      tell('everything')
      this.#active.add(tell)
    }
    return {
      active: begin(),
      close: () => {
        closing.abort()
        this.#active.delete(tell)
      },
    }
  }

  async #firstSync(closing: AbortSignal): Promise<void> {
    const { clock, retryMs } = this.#options
    while (!closing.aborted) {
      try {
        await this.#options.sync()
        return
      } catch (error) {
        if (!isCoordinationError(error, 'CONNECTION') && !isCoordinationError(error, 'OVERLOADED')) throw error
      }
      await pause(clock, retryMs, closing)
    }
  }
}

/** Resolves after so many milliseconds, or when the signal aborts. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, end } = ending()
  using _timer = clock.setTimeout(end, ms)
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  await promise
  signal.removeEventListener('abort', end)
}

function ending(): { readonly promise: Promise<void>; readonly end: () => void } {
  let end: () => void = () => undefined
  const promise = new Promise<void>((resolve) => {
    end = resolve
  })
  return { promise, end }
}
