/** A connection inside the process, between a client and a server of Node's. */
import { type Duplex, duplexPair } from 'node:stream'

/** Both ends. As of a TCP connection, an end that is destroyed before it has said all ends the other. */
export function innerConnection(): readonly [Duplex, Duplex] {
  const [one, other] = duplexPair()
  endWith(one, other)
  endWith(other, one)
  return [one, other]
}

/** What was sent to the end is still there to be read. */
function endWith(one: Duplex, other: Duplex): void {
  one.once('close', () => {
    if (!one.writableFinished) other.destroy()
  })
}
