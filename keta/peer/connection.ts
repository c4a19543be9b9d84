/** What a link needs of the network, as a port: connections that carry messages, and whether an address refuses. */

/** Where a connection was really made to. */
export interface Address {
  /** A numeric address. */
  readonly host: string
  readonly port: number
}

export interface ConnectionEvents {
  /** The other side has greeted. At most once; no message comes before it. */
  opened(address: Address): void
  message(bytes: Uint8Array): void
  /** After `write` has returned false: more can be written. */
  drained(): void
  /** Could not be made, or is over. The last event. */
  ended(cause: Error): void
}

export interface Connection {
  /** Only between `opened` and `ended`. False: the other side does not keep up; write no more until `drained`. */
  write(message: Buffer): boolean
  /** Ends it, whatever state it is in, and leaves nothing open. No event comes afterwards. Idempotent. */
  close(): void
}

export interface Network {
  /** Begins to connect; every event comes later. @throws TypeError if it is not a URL. */
  dial(url: string, events: ConnectionEvents): Connection
  /**
   * Asks for a plain TCP connection and closes it at once.
   * @param done called once, later, with whether it was refused: nobody listens there. Not called after `cancel`.
   */
  probe(address: Address, done: (refused: boolean) => void): { cancel(): void }
}
