/** How much a client may take of the server before it has asked for anything. */
import { readFileSync } from 'node:fs'

export interface FrontLimits {
  /** From the connection on until it is known what is spoken, TLS handshake included. */
  readonly decideMs: number
  /** Connections of which it is not known yet; beyond it the oldest are ended. */
  readonly undecided: number
  /** Connections in all; beyond it new ones are ended. */
  readonly connections: number
  /** Of HTTP/1.1: request line and headers together. */
  readonly headerBytes: number
  /** Of HTTP/1.1: until the headers of a request are complete. */
  readonly headerMs: number
  /** Of HTTP/1.1: until a request with its body is complete. */
  readonly requestMs: number
  /** Of HTTP/1.1: between requests. */
  readonly idleMs: number
  /** How often the time limits of HTTP/1.1 are looked after. */
  readonly checkMs: number
}

/** 10 s are also what etcd gives to a TLS handshake. */
export const FRONT_LIMITS: FrontLimits = {
  decideMs: 10_000,
  undecided: 1_000,
  connections: 50_000,
  headerBytes: 64 * 1024,
  headerMs: 30_000,
  requestMs: 300_000,
  idleMs: 120_000,
  checkMs: 5_000,
}

/** For the log, the snapshots, other nodes and Kafka; as many as etcd keeps for itself. */
const RESERVED_FILES = 150

/**
 * Most connections that leave enough files to the rest of the process.
 * @param readLimits gives what the system says of the process's limits, where it does.
 */
export function connectionLimit(readLimits: () => string = readLinuxLimits): number {
  const [, files] = /^Max open files +(\d+)/m.exec(textOf(readLimits)) ?? []
  if (files === undefined) return FRONT_LIMITS.connections
  return Math.max(1, Math.min(FRONT_LIMITS.connections, Number(files) - RESERVED_FILES))
}

function readLinuxLimits(): string {
  return readFileSync('/proc/self/limits', 'latin1')
}

function textOf(read: () => string): string {
  try {
    return read()
  } catch {
    // Only Linux has such a file.
    return ''
  }
}
