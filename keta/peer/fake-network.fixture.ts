/** A network for tests: they play the other side of every connection themselves. */
import type { PeerRequest } from '../cluster/peers.ts'
import type { Address, Connection, ConnectionEvents, Network } from './connection.ts'
import { Inbox } from './inbox.ts'
import { decodeRequest, encodeResponse, type WireResponse } from './messages.ts'
import { Outbox } from './outbox.ts'

export class FakeConnection implements Connection {
  readonly url: string
  readonly events: ConnectionEvents
  readonly written: Buffer[] = []
  /** What `write` returns. */
  takesMore = true
  closed = false

  constructor(url: string, events: ConnectionEvents) {
    this.url = url
    this.events = events
  }

  write(message: Buffer): boolean {
    this.written.push(message)
    return this.takesMore
  }

  close(): void {
    this.closed = true
  }

  /** What has been asked, message by message. */
  asked(): readonly (readonly { id: number; request: PeerRequest | undefined }[])[] {
    const inbox = new Inbox(Number.POSITIVE_INFINITY)
    return this.written.map((message) =>
      inbox.take(message).map(({ id, payload }) => ({ id, request: payload && decodeRequest(payload) })),
    )
  }

  answer(responses: readonly (readonly [id: number, response: WireResponse])[]): void {
    const outbox = new Outbox()
    for (const [id, response] of responses) outbox.put(id, encodeResponse(response))
    for (let message = outbox.take(); message !== undefined; message = outbox.take()) this.events.message(message)
  }
}

interface Probe {
  readonly address: Address
  readonly done: (refused: boolean) => void
  cancelled: boolean
}

export class FakeNetwork implements Network {
  readonly dialled: FakeConnection[] = []
  readonly probes: Probe[] = []

  /** The connection that was asked for last. */
  get last(): FakeConnection {
    const last = this.dialled.at(-1)
    if (last === undefined) throw new Error('nothing was dialled')
    return last
  }

  get lastProbe(): Probe {
    const last = this.probes.at(-1)
    if (last === undefined) throw new Error('nothing was probed')
    return last
  }

  dial(url: string, events: ConnectionEvents): Connection {
    const connection = new FakeConnection(new URL(url).href, events)
    this.dialled.push(connection)
    return connection
  }

  probe(address: Address, done: (refused: boolean) => void): { cancel(): void } {
    const probe = { address, done, cancelled: false }
    this.probes.push(probe)
    return {
      cancel: () => {
        probe.cancelled = true
      },
    }
  }
}
