/**
 * Requests that only the leader can answer: writes, and whatever is about the time that leases have left. On a follower
 * they go to the leader as they came, and its answer comes back with this member's id in the header, as etcd's would.
 */
import type { Engine, ForwardedAnswer, RoutedRequest } from '../engine/api.ts'
import { RequestFailure } from '../command/failure.ts'
import { type Call, type Method, unary } from '../transport/transport.ts'
import { toRpcError } from './errors.ts'
import type { Headers } from './header.ts'

/** Request metadata that goes with a request to the leader: who the client is. */
const FORWARDED_METADATA: readonly string[] = ['token', 'authorization']

/** How the leader answers a request. */
export interface Routed<Request> {
  decode(body: Uint8Array): Request
  /** @param body what `request` was decoded from. */
  handle(request: Request, body: Uint8Array): Uint8Array | Promise<Uint8Array>
  /** Requests that any node can answer, given the state. Default: none. */
  answersAnywhere?(request: Request): boolean
}

type Execute = (body: Uint8Array) => Uint8Array | Promise<Uint8Array>

export class Routes {
  readonly #engine: Engine
  readonly #headers: Headers
  readonly #execute = new Map<string, Execute>()

  constructor(engine: Engine, headers: Headers) {
    this.#engine = engine
    this.#headers = headers
  }

  /** @param name "etcdserverpb.KV/Put" */
  method<Request>(name: string, routed: Routed<Request>): Method {
    this.#execute.set(name, (body) => routed.handle(routed.decode(body), body))
    return unary<{ readonly request: Request; readonly body: Uint8Array }, Uint8Array>({
      decode: (body) => ({ request: translated(() => routed.decode(body)), body }),
      handle: ({ request, body }, call) => {
        const local = (): Uint8Array | Promise<Uint8Array> => routed.handle(request, body)
        return translatedLater(() =>
          routed.answersAnywhere?.(request) === true ? local() : this.#route(name, body, call, local),
        )
      },
      encode: (bytes) => bytes,
    })
  }

  /** One message of a stream, answered as `method` answers a request. Rejects with what the client shall see. */
  async message(
    name: string,
    body: Uint8Array,
    call: Call,
    local: () => Uint8Array | Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    return translatedLater(() => this.#route(name, body, call, local))
  }

  /** For messages of streams: how this node, leading, answers one that another node forwards. */
  answer(name: string, execute: Execute): void {
    this.#execute.set(name, execute)
  }

  /**
   * Answers what another node has forwarded, as this node's own client would be answered.
   * @throws RequestFailure NOT_LEADER; RpcError for its client.
   */
  async execute(name: string, body: Uint8Array): Promise<Uint8Array> {
    const execute = this.#execute.get(name)
    if (execute === undefined) throw new Error(`another node forwarded ${name}, which is not a request for the leader`)
    try {
      return await execute(body)
    } catch (error) {
      if (error instanceof RequestFailure && error.code === 'NOT_LEADER') throw error
      throw toRpcError(error)
    }
  }

  #route(
    method: string,
    body: Uint8Array,
    call: Call,
    local: () => Uint8Array | Promise<Uint8Array>,
  ): Uint8Array | Promise<Uint8Array> {
    const request: RoutedRequest = { method, body, metadata: () => forwardedMetadata(call) }
    const answer = this.#engine.route(request, local)
    return answer instanceof Promise ? answer.then((settled) => this.#own(settled)) : answer
  }

  #own(answer: Uint8Array | ForwardedAnswer): Uint8Array {
    return 'forwarded' in answer ? this.#headers.replaceIn(answer.forwarded) : answer
  }
}

function forwardedMetadata(call: Call): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>()
  for (const name of FORWARDED_METADATA) {
    const value = call.metadata(name)
    if (value !== undefined) metadata.set(name, value)
  }
  return metadata
}

function translated<T>(action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw toRpcError(error)
  }
}

function translatedLater(action: () => Uint8Array | Promise<Uint8Array>): Uint8Array | Promise<Uint8Array> {
  const answer = translated(action)
  if (!(answer instanceof Promise)) return answer
  return answer.catch((error: unknown) => {
    throw toRpcError(error)
  })
}
