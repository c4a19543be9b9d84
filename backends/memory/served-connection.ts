/** One connection to a served store, on the client's side. */
import { connect, type Socket } from 'node:net'
import { type Clock, CoordinationError, type Effect } from '../../spi/index.ts'
import { reasonOf } from '../../spi/helpers/backoff.ts'
import type { Call } from '../shared/driver.ts'
import { CompactedError } from '../shared/follow-by-revision.ts'
import { type Args, isWrite, type Operation, type Result } from './operations.ts'
import {
  encodeFrame,
  errorOf,
  FrameReader,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  type Welcome,
} from './protocol.ts'
import { BACKEND } from './store.ts'
import type { Told, WatchQuery } from './store-host.ts'

export interface ConnectionOptions {
  /** `host:port`. */
  readonly endpoint: string
  readonly password: string | undefined
  readonly clock: Clock
  /** For connecting; and later a connection that is silent for so long although it was asked is given up. */
  readonly silenceMs: number
}

/** How an answer is lost. */
type Lost = 'CONNECTION' | 'TIMEOUT'

interface Pending {
  reply(reply: Reply): void
  broken(): void
}

export class ServedConnection {
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  readonly #reader = new FrameReader()
  readonly #pending = new Map<number, Pending>()
  /** Until the store has answered the greeting. */
  #greeted: ((welcome: Welcome) => void) | undefined
  #lastHeard: number
  #lastId = 0
  /** Why it is over; silence is a TIMEOUT. */
  #broken: { readonly code: Lost; readonly why: string } | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#lastHeard = options.clock.now()
    this.#socket = connect({ ...hostAndPort(options.endpoint), noDelay: true })
    let why = 'the store closed the connection'
    this.#socket.on('data', (chunk) => this.#receive(chunk))
    this.#socket.on('error', (error) => {
      why = error.message
    })
    this.#socket.on('close', () => this.close(why))
  }

  /** @throws CoordinationError CONNECTION, TIMEOUT or AUTHENTICATION, with effect `none`. */
  async greet(): Promise<{ readonly persistent: boolean }> {
    const { clock, endpoint, password, silenceMs } = this.#options
    const welcomed = new Promise<Welcome>((resolve) => {
      this.#greeted = resolve
    })
    this.#socket.write(encodeFrame({ version: PROTOCOL_VERSION, password }))
    using _limit = clock.setTimeout(() => this.close(`no welcome within ${silenceMs} ms`, 'TIMEOUT'), silenceMs)
    const welcome = await welcomed
    if (!('error' in welcome)) return welcome
    this.close('refused')
    const { code, message, effect } = welcome.error
    throw errorOf({ code, message: `${endpoint}: ${message}`, effect })
  }

  get isOpen(): boolean {
    return this.#broken === undefined
  }

  async ask<O extends Operation>(operation: O, args: Args<O>, call: Call): Promise<Result<O>> {
    return (await this.#ask(operation, args, call, isWrite(operation) ? 'unknown' : 'none')) as Result<O>
  }

  /** How many there are to the store. */
  async connections(call: Call): Promise<number> {
    return (await this.#ask('connections', [], call, 'none')) as number
  }

  async watch(query: WatchQuery, from: number, told: Told, signal: AbortSignal): Promise<never> {
    const id = ++this.#lastId
    return new Promise<never>((_resolve, reject) => {
      const end = (error: Error) => {
        signal.removeEventListener('abort', onAbort)
        this.#pending.delete(id)
        reject(error)
      }
      const onAbort = () => {
        this.#send({ id, unwatch: true })
        end(reasonOf(signal))
      }
      this.#request(
        { id, watch: query, from },
        {
          reply: (reply) => {
            if ('changes' in reply) told(reply.changes, reply.revision)
            else if ('compacted' in reply) end(new CompactedError(reply.compacted))
            else if ('error' in reply) end(errorOf(reply.error))
          },
          broken: () => end(this.#failure(this.#lost, 'the watch broke off', 'none')),
        },
      )
      if (signal.aborted) onAbort()
      else signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  close(why = 'closed', code: Lost = 'CONNECTION'): void {
    if (this.#broken !== undefined) return
    this.#broken = { code, why }
    this.#socket.destroy()
    this.#greeted?.({ error: { code, message: why, effect: 'none' } })
    for (const pending of [...this.#pending.values()]) pending.broken()
  }

  /** @param lost what is known of the effect while the answer is not there. */
  async #ask(ask: Operation | 'connections', args: readonly unknown[], call: Call, lost: Effect): Promise<unknown> {
    const { signal, timeoutMs } = call
    if (signal.aborted || !this.isOpen) throw this.#failure(this.#lost, `${ask} was not sent`, 'none')
    const id = ++this.#lastId
    return new Promise<unknown>((resolve, reject) => {
      const end = (how: () => void) => {
        timer[Symbol.dispose]()
        signal.removeEventListener('abort', onAbort)
        this.#pending.delete(id)
        how()
      }
      const fail = (error: Error) => end(() => reject(error))
      const onAbort = () => fail(this.#failure('TIMEOUT', `${ask} was given up`, lost))
      const timer = this.#options.clock.setTimeout(() => {
        fail(this.#failure('TIMEOUT', `${ask}: no answer within ${timeoutMs} ms`, lost))
        this.#suspect()
      }, timeoutMs)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#request(
        { id, ask, args },
        {
          reply: (reply) => {
            if ('error' in reply) fail(errorOf(reply.error))
            else if ('result' in reply) end(() => resolve(reply.result))
          },
          broken: () => fail(this.#failure(this.#lost, `${ask} got no answer`, lost)),
        },
      )
    })
  }

  #request(request: Request, pending: Pending): void {
    this.#pending.set(request.id, pending)
    if (this.isOpen) this.#send(request)
    else pending.broken()
  }

  #send(request: Request): void {
    if (this.isOpen) this.#socket.write(encodeFrame(request))
  }

  #receive(chunk: Buffer): void {
    this.#lastHeard = this.#options.clock.now()
    try {
      for (const message of this.#reader.push(chunk)) this.#dispatch(message)
    } catch (error) {
      this.close(`not understood: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #dispatch(message: unknown): void {
    const greeted = this.#greeted
    this.#greeted = undefined
    if (greeted !== undefined) greeted(message as Welcome)
    else this.#pending.get((message as Reply).id)?.reply(message as Reply)
  }

  /** A request got no answer: if nothing else has come for long, nothing will. */
  #suspect(): void {
    const { clock, silenceMs } = this.#options
    if (clock.now() - this.#lastHeard >= silenceMs) this.close(`silent for ${silenceMs} ms`, 'TIMEOUT')
  }

  get #lost(): Lost {
    return this.#broken?.code ?? 'CONNECTION'
  }

  #failure(code: Lost, message: string, effect: Effect): CoordinationError {
    const why = this.#broken === undefined ? '' : `: ${this.#broken.why}`
    return new CoordinationError(code, `${this.#options.endpoint}: ${message}${why}`, { backend: BACKEND, effect })
  }
}

function hostAndPort(endpoint: string): { readonly host: string; readonly port: number } {
  const colon = endpoint.lastIndexOf(':')
  return { host: endpoint.slice(0, colon), port: Number(endpoint.slice(colon + 1)) }
}
