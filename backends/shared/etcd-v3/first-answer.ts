/**
 * One question to several servers: to the first, and to the next as soon as that one fails, or is slow. What was asked
 * before goes on meanwhile – a server behind a slow network must not be given up for being slow – and the first answer
 * counts.
 */
import type { Clock } from '../../../spi/index.ts'

/** One of the attempts. */
export interface Attempt<T> {
  readonly answer: Promise<T>
  /** The next attempt is not to go to the same server. */
  pass(): void
}

export interface Question<T> {
  readonly clock: Clock
  /** How many servers there are to ask. */
  readonly servers: number
  /** Milliseconds for all of it. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  ask(signal: AbortSignal, timeoutMs: number): Attempt<T>
  /** Another attempt may do better than the one that failed so. */
  isWorthAnother(error: unknown): boolean
}

/** Rejects with the failure of an attempt that is not worth another, or with the last one of all. */
export async function firstAnswer<T>(question: Question<T>): Promise<T> {
  // one server is asked once at a time: there is nobody to call off, and that is dear on the way of every read
  const over = question.servers > 1 ? new AbortController() : undefined
  const signal = over === undefined ? question.signal : AbortSignal.any([question.signal, over.signal])
  const timers: Disposable[] = []
  try {
    return await new Promise<T>((resolve, reject) => {
      askServers(question, signal, timers, { resolve, reject })
    })
  } finally {
    over?.abort(ANSWERED)
    for (const timer of timers) timer[Symbol.dispose]()
  }
}

/** Made once: without a reason each abort makes an exception with its stack. */
const ANSWERED = new Error('another server has answered')

interface Outcome<T> {
  readonly resolve: (answer: T) => void
  readonly reject: (error: unknown) => void
}

function askServers<T>(question: Question<T>, signal: AbortSignal, timers: Disposable[], outcome: Outcome<T>): void {
  const { clock, servers, timeoutMs } = question
  const until = clock.now() + timeoutMs
  // a single server gets a second chance too: a connection may break just when it is used
  let left = Math.max(2, servers)
  let running = 0
  const next = (): void => {
    left--
    running++
    let isLatest = true
    const attempt = question.ask(signal, Math.max(1, until - clock.now()))
    if (servers > 1 && left > 0) {
      const slow = () => {
        if (!isLatest || signal.aborted) return
        isLatest = false
        attempt.pass()
        next()
      }
      timers.push(clock.setTimeout(slow, timeoutMs / servers))
    }
    attempt.answer.then(outcome.resolve, (error: unknown) => {
      running--
      if (signal.aborted || !question.isWorthAnother(error)) outcome.reject(error)
      else if (isLatest && left > 0 && clock.now() < until) {
        isLatest = false
        next()
      } else if (running === 0) outcome.reject(error)
    })
  }
  next()
}
