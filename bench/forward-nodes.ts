/** Two nodes of a cluster in this process: one log in memory, and the peer protocol over a network without sockets. */
import { randomBytes } from 'node:crypto'
import { memoryBacking } from '../keta/backing/memory-backing.ts'
import type { Coordinator, CoordinatorPorts } from '../keta/cluster/coordination.ts'
import type { PeerHandler } from '../keta/cluster/peers.ts'
import { BcryptPasswords } from '../keta/credentials/passwords.ts'
import type { OpenedEngine } from '../keta/engine/api.ts'
import { openClusterEngine } from '../keta/engine/open-engine.ts'
import { systemClock } from '../keta/engine/system-clock.ts'
import { MemoryLog } from '../keta/log/memory/memory-log.ts'
import { MemorySnapshots } from '../keta/log/memory/memory-snapshots.ts'
import { processClock } from '../keta/peer/clock.ts'
import type { Connection, ConnectionEvents, Network } from '../keta/peer/connection.ts'
import { Link } from '../keta/peer/link.ts'
import { EXCHANGE, SECRET_METADATA, VERSION, VERSION_METADATA } from '../keta/peer/protocol.ts'
import { peerService } from '../keta/peer/service.ts'
import { createServices } from '../keta/rpc/services.ts'
import type { ServiceTable, StreamHandler, StreamMethod } from '../keta/transport/transport.ts'

export interface BenchNode {
  readonly engine: OpenedEngine
  readonly table: ServiceTable
}

interface JoinedNode extends BenchNode {
  readonly peerHandler: PeerHandler
  readonly ports: CoordinatorPorts
}

const SECRET = 'of the nodes'
const MAX_REQUEST_BYTES = 2 * 1024 * 1024
const LONG_MS = 600_000

/** Resolves when both know who leads. */
export async function openPair(): Promise<{ readonly leader: BenchNode; readonly follower: BenchNode }> {
  const log = new MemoryLog()
  const handlers = new Map<string, PeerHandler>()
  const [leader, follower] = [await open(1, log, handlers), await open(2, log.another(), handlers)]
  const members = [leader, follower].map(({ ports }) => ports.self())
  for (const { ports } of [leader, follower]) {
    ports.onAssignment({ generation: 1, leader: 1n, members, refused: [] })
  }
  while (!leader.engine.leading || follower.engine.leaderId !== 1n) await new Promise(setImmediate)
  return { leader, follower }
}

async function open(id: number, log: MemoryLog, handlers: Map<string, PeerHandler>): Promise<JoinedNode> {
  const url = `http://node-${id}`
  let ports: CoordinatorPorts | undefined
  const coordinator: Coordinator = {
    join: (given) => {
      ports = given
    },
    announce: ignore,
    expel: () => Promise.resolve(),
    leave: () => Promise.resolve(),
  }
  const network = inProcess(handlers)
  const engine = await openClusterEngine({
    identity: { clusterId: 9n, memberId: BigInt(id), name: `n${id}` },
    snapshots: new MemorySnapshots(),
    backing: memoryBacking(),
    clock: systemClock,
    random: randomBytes,
    logger: { debug: ignore, info: ignore, warn: ignore, error: (message) => console.error(message) },
    quotaBytes: -1,
    maxRequestBytes: MAX_REQUEST_BYTES,
    progressNotifyIntervalMs: LONG_MS,
    snapshotLogBytes: Number.MAX_SAFE_INTEGER,
    autoCompaction: { mode: 'off' },
    cluster: {
      log,
      coordinator,
      peers: { connect: (urls, onGone) => new Link(urls, onGone, { network, clock: processClock }) },
      clientUrls: () => [url],
      eligible: true,
      times: { tickIntervalMs: LONG_MS, silenceMs: LONG_MS, pingMs: LONG_MS, readLeaseMs: 0 },
      chance: () => 0,
      startedAt: id,
      sharedSnapshots: new MemorySnapshots(),
    },
  })
  const { table, peerHandler } = createServices(engine, {
    version: '3.6.16',
    readiness: { serving: true, onChange: () => ignore },
    random: randomBytes,
    credentials: { passwords: new BcryptPasswords(4) },
  })
  handlers.set(`${url}/`, peerHandler).set(url, peerHandler)
  engine.join()
  if (ports === undefined) throw new Error('the node has not joined')
  return { engine, table, peerHandler, ports }
}

/** What is written arrives with the next turn of the event loop. */
function inProcess(handlers: ReadonlyMap<string, PeerHandler>): Network {
  return {
    dial: (url, events) => connection(handlers.get(url), events),
    probe: (_address, done) => {
      setImmediate(done, true)
      return { cancel: ignore }
    },
  }
}

function connection(handler: PeerHandler | undefined, events: ConnectionEvents): Connection {
  if (handler === undefined) throw new Error('nobody is there')
  const options = {
    secret: SECRET,
    onDefect: (error: unknown) => console.error(error),
    maxRequestBytes: MAX_REQUEST_BYTES,
  }
  const exchange = peerService(handler, options).get(EXCHANGE) as StreamMethod<Uint8Array, Uint8Array>
  const metadata = new Map([
    [VERSION_METADATA, VERSION],
    [SECRET_METADATA, SECRET],
  ])
  let isOpen = false
  let isClosed = false
  let answering: StreamHandler<Uint8Array> | undefined
  const arrive = (bytes: Uint8Array): void => {
    if (isClosed) return
    if (isOpen) events.message(bytes)
    else events.opened({ host: '127.0.0.1', port: 1 })
    isOpen = true
  }
  setImmediate(() => {
    const out = {
      send: (bytes: Uint8Array) => {
        setImmediate(arrive, bytes)
        return true
      },
      end: ignore,
      fail: (error: unknown) => console.error(error),
    }
    answering = exchange.open(out, { metadata: (name) => metadata.get(name), peer: 'bench', onClosed: ignore })
  })
  return {
    write: (message) => {
      setImmediate(() => {
        Promise.resolve(answering?.message(message)).catch(console.error)
      })
      return true
    },
    close: () => {
      isClosed = true
    },
  }
}

function ignore(): void {
  // For listeners and loggers that a measurement does not need.
}
