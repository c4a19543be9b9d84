/** A name for a TCP connection: no other that is open at the same time has it. */

interface Ends {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
}

/** The same for a socket and for the TLS socket round it. undefined: it is closed already. */
export function connectionName({ remoteAddress, remotePort, localAddress, localPort }: Ends): string | undefined {
  if (remoteAddress === undefined || localAddress === undefined) return undefined
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
