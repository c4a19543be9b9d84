/** One client's connection, on the server's side. */
import type { Socket } from 'node:net'
import type { Clock } from '../../spi/index.ts'
import { CompactedError } from '../shared/follow-by-revision.ts'
import { type Args, isOperation, type Operation } from './operations.ts'
import {
  encodeFrame,
  FrameReader,
  type Greeting,
  plainError,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
} from './protocol.ts'
import { clusterOf } from './store.ts'
import type { StoreHost } from './store-host.ts'
import type { Range } from './tables.ts'

export interface Served {
  readonly host: StoreHost
  readonly clock: Clock
  readonly persistent: boolean
  readonly connections: ReadonlySet<unknown>
  /** What the password allows: a check that throws for a cluster it does not; undefined: nothing at all. */
  permit(password: string | undefined): ((cluster: string) => void) | undefined
}

/** A client that does not read is cut off; it resumes its watches when it comes back. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024

export class ServerConnection {
  readonly #socket: Socket
  readonly #served: Served
  readonly #reader = new FrameReader()
  readonly #watches = new Map<number, Disposable>()
  #check: ((cluster: string) => void) | undefined

  constructor(socket: Socket, served: Served) {
    this.#socket = socket
    this.#served = served
  }

  start(): void {
    this.#socket.on('data', (chunk) => {
      try {
        for (const message of this.#reader.push(chunk)) this.#receive(message)
      } catch {
        // not a client of ours
        this.#socket.destroy()
      }
    })
    // 'close' follows
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      for (const watch of this.#watches.values()) watch[Symbol.dispose]()
    })
  }

  #receive(message: unknown): void {
    if (this.#check === undefined) this.#greet(message as Greeting)
    else this.#serve(message as Request, this.#check)
  }

  #greet({ version, password }: Greeting): void {
    const check = this.#served.permit(password)
    if (version === PROTOCOL_VERSION && check !== undefined) {
      this.#check = check
      this.#send({ persistent: this.#served.persistent })
      return
    }
    const error =
      version === PROTOCOL_VERSION
        ? { code: 'AUTHENTICATION', message: 'the store refused the password', effect: 'none' }
        : { code: 'UNSUPPORTED', message: `the store speaks version ${PROTOCOL_VERSION}`, effect: 'none' }
    this.#socket.end(encodeFrame({ error }))
  }

  #serve(request: Request, check: (cluster: string) => void): void {
    const { id } = request
    try {
      if ('unwatch' in request) this.#unwatch(id)
      else if ('watch' in request) this.#watch(request, check)
      else this.#reply({ id, result: this.#answer(request.ask, request.args, check) })
    } catch (error) {
      this.#reply(error instanceof CompactedError ? { id, compacted: error.message } : { id, error: plainError(error) })
    }
  }

  #answer(ask: Operation | 'connections', args: readonly unknown[], check: (cluster: string) => void): unknown {
    if (ask === 'connections') return this.#served.connections.size
    if (!isOperation(ask)) throw new Error('no such operation')
    const cluster = clusterConcerned(ask, args)
    if (cluster !== undefined) check(cluster)
    return this.#served.host.run(ask, args as Args<typeof ask>, this.#served.clock)
  }

  #watch({ id, watch, from }: Extract<Request, { watch: unknown }>, check: (cluster: string) => void): void {
    check(clusterOf(watch))
    const told = (changes: ReadonlyMap<string, unknown>, revision: number) =>
      this.#reply({ id, revision, changes } as Reply)
    this.#watches.set(id, this.#served.host.watch(watch, from, told))
  }

  #unwatch(id: number): void {
    this.#watches.get(id)?.[Symbol.dispose]()
    this.#watches.delete(id)
  }

  #reply(reply: Reply): void {
    this.#send(reply)
  }

  #send(message: unknown): void {
    if (this.#socket.destroyed) return
    this.#socket.write(encodeFrame(message))
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) this.#socket.destroy()
  }
}

/** Sessions belong to no cluster. */
function clusterConcerned(operation: Operation, args: readonly unknown[]): string | undefined {
  const [first] = args
  switch (operation) {
    case 'takeSeat':
    case 'amendSeat':
    case 'emptySeat':
    case 'commit':
      return String(first)
    case 'page':
      return clusterOf(first as Range)
    case 'openSession':
    case 'renewSession':
    case 'endSession':
    case 'sessions':
    case 'outcomeOf':
    case 'forgetHistory':
      return undefined
  }
}
