/**
 * The peer port: what one node of a cluster asks another. Adapters: `peer/` (a stream over the port that clients use),
 * and the simulation's.
 */
import type { StatusCode } from '../transport/transport.ts'

export type { StatusCode }

export type PeerRequest =
  /** A client's unary request that only the leader can answer, as its client sent it. */
  | {
      readonly kind: 'forward'
      /** "etcdserverpb.KV/Put" */
      readonly method: string
      readonly body: Uint8Array
      /** Who asks, as the forwarding node has found out. Lower-case names. */
      readonly metadata: ReadonlyMap<string, string>
    }
  /** Up to where must a node have applied the log so that its state holds everything acknowledged before the asking? */
  | { readonly kind: 'readIndex' }
  /**
   * The leader of `epoch` asks the other to claim the log now. From the sending on it answers no read by its lease, so
   * the successor need not wait one out.
   */
  | { readonly kind: 'takeOver'; readonly epoch: number }
  /** Is the other side running? */
  | { readonly kind: 'ping' }

export type PeerResponse =
  /** `appliedOffset`: what the leader had applied when it answered; the asker's state must reach it first. */
  | { readonly kind: 'answer'; readonly body: Uint8Array; readonly appliedOffset: number }
  /** The handler refused the request, with the error that the client shall see. */
  | {
      readonly kind: 'refusal'
      readonly status: StatusCode
      readonly message: string
      readonly appliedOffset: number
    }
  | { readonly kind: 'readIndex'; readonly offset: number }
  /** The node asked is not the leader (any more). Whatever was asked has had no effect and never will. */
  | { readonly kind: 'notLeader' }
  | { readonly kind: 'done' }

/** The other side did not answer. */
export class PeerError extends Error {
  override readonly name = 'PeerError'
  readonly code = 'PEER_UNREACHABLE'
  /** False: the request never left this node. True: whether the other side has handled it is not known. */
  readonly sent: boolean
  constructor(message: string, sent: boolean, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.sent = sent
  }
}

export interface PeerLink {
  /**
   * Requests of one turn of the event loop travel together.
   * @param timeoutMs after which the answer is not waited for any longer.
   * @throws PeerError
   */
  request(request: PeerRequest, timeoutMs: number): Promise<PeerResponse>
  /** Ends the connection; what waits for an answer rejects. Idempotent. */
  close(): void
}

export interface Peers {
  /**
   * A link to the node that is reached by one of `urls`. It connects by itself, again and again.
   * @param onGone called when the other process is most likely dead: its connection ended and a new one was refused.
   *   At most once for each connection that was established.
   * @param memberId whose node that is, for who counts.
   */
  connect(urls: readonly string[], onGone: () => void, memberId?: bigint): PeerLink
}

/** The answering side. */
export interface PeerHandler {
  /** Never rejects for what a node may ask; a rejection is a defect, and the asker is told that nothing is known. */
  handle(request: PeerRequest): Promise<PeerResponse>
}
