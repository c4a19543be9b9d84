/**
 * Requests that only the leader can answer: writes, and whatever is about the time that leases have left. On a follower
 * they go to the leader as they came, not decoded, with the name of who asks; its answer comes back with this member's
 * id in the header, as etcd's would.
 */
import type { Engine, ForwardedAnswer, RoutedRequest } from '../engine/api.ts'
import { RequestFailure } from '../command/failure.ts'
import { decodeRequest } from '../transport/failures.ts'
import { type Call, type Method, unary } from '../transport/transport.ts'
import { type Caller, type Callers, forwardedMetadata } from './callers.ts'
import { rethrow, toRpcError, translated } from './errors.ts'
import type { Headers } from './header.ts'

/** How the leader answers a request. */
export interface Routed<Request> {
  decode(body: Uint8Array): Request
  /** @param body what `request` was decoded from. */
  handle(request: Request, body: Uint8Array, caller: Caller): Uint8Array | Promise<Uint8Array>
  /** Requests that any node can answer, given the state; by their bytes, which need not be a request. Default: none. */
  answersAnywhere?(body: Uint8Array): boolean
}

/** A client's request, decoded only if this node is likely to answer it. */
interface Unread<Request> {
  readonly request: Request | undefined
  readonly body: Uint8Array
  /** Any node can answer it. */
  readonly anywhere: boolean
}

/** Of this node, or of the leader. */
type Answer = Uint8Array | ForwardedAnswer

type Execute = (body: Uint8Array, caller: Caller) => Uint8Array | Promise<Uint8Array>

export class Routes {
  readonly #engine: Engine
  readonly #headers: Headers
  readonly #callers: Callers
  readonly #execute = new Map<string, Execute>()

  constructor(engine: Engine, headers: Headers, callers: Callers) {
    this.#engine = engine
    this.#headers = headers
    this.#callers = callers
  }

  /** @param name "etcdserverpb.KV/Put" */
  method<Request>(name: string, routed: Routed<Request>): Method {
    const execute = this.#executable(name, routed)
    return unary<Unread<Request>, Uint8Array>({
      decode: (body) => this.#unread(routed, body),
      handle: ({ request, body, anywhere }, call) => {
        const answer = (caller: Caller): Answer | Promise<Answer> => {
          const local = (): Uint8Array | Promise<Uint8Array> =>
            request === undefined ? execute(body, caller) : routed.handle(request, body, caller)
          return anywhere ? local() : this.#route(name, body, caller, local)
        }
        return this.#answered(() => this.#callers.as(call, answer))
      },
      encode: (bytes) => bytes,
    })
  }

  /**
   * For requests that are no unary calls: messages of a stream, and what this node itself asks of the leader. What is
   * returned answers one of them, as `method` answers a request; it rejects with what the client shall see.
   */
  message<Request>(name: string, routed: Routed<Request>): (body: Uint8Array, call: Call) => Promise<Uint8Array> {
    const execute = this.#executable(name, routed)
    return async (body, call) =>
      this.#answered(() =>
        this.#callers.as(call, (caller) => this.#route(name, body, caller, () => execute(body, caller))),
      )
  }

  /**
   * Answers what another node has forwarded, as this node's own client would be answered.
   * @throws RequestFailure NOT_LEADER; RpcError for its client.
   */
  async execute(name: string, body: Uint8Array, caller: Caller): Promise<Uint8Array> {
    const execute = this.#execute.get(name)
    if (execute === undefined) throw new Error(`another node forwarded ${name}, which is not a request for the leader`)
    try {
      return await execute(body, caller)
    } catch (error) {
      if (error instanceof RequestFailure && error.code === 'NOT_LEADER') throw error
      throw toRpcError(error)
    }
  }

  /** What is the leader's is read by the leader: this node, as long as it is that, or another. */
  #unread<Request>(routed: Routed<Request>, body: Uint8Array): Unread<Request> {
    const anywhere = routed.answersAnywhere?.(body) === true
    const request = anywhere || this.#engine.leading ? translated(() => routed.decode(body)) : undefined
    return { request, body, anywhere }
  }

  /** The request as it came, answered here: this node's own client may have sent it, or another node. */
  #executable<Request>(name: string, routed: Routed<Request>): Execute {
    const execute: Execute = (body, caller) => routed.handle(decoded(routed, body), body, caller)
    this.#execute.set(name, execute)
    return execute
  }

  #route(
    method: string,
    body: Uint8Array,
    caller: Caller,
    local: () => Uint8Array | Promise<Uint8Array>,
  ): Answer | Promise<Answer> {
    const request: RoutedRequest = { method, body, metadata: () => forwardedMetadata(caller) }
    return this.#engine.route(request, local)
  }

  /** What the client gets. @throws RpcError, or rejects with it. */
  #answered(action: () => Answer | Promise<Answer>): Uint8Array | Promise<Uint8Array> {
    const answer = translated(action)
    return answer instanceof Promise ? answer.then(this.#own, rethrow) : this.#own(answer)
  }

  readonly #own = (answer: Answer): Uint8Array =>
    'forwarded' in answer ? translated(() => this.#headers.replaceIn(answer.forwarded)) : answer
}

/** As a transport decodes it, so that its client is told the same. @throws RpcError */
function decoded<Request>(routed: Routed<Request>, body: Uint8Array): Request {
  return decodeRequest({ decode: (bytes) => translated(() => routed.decode(bytes)) }, body)
}
