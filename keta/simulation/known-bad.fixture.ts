/**
 * Bugs that distributed systems really had, put into the engine from outside: the simulation must find each of them.
 * They replace methods, or stand between the engine and its ports.
 */
import { chainHash } from '../bytes/hash64.ts'
import { decodeAuthored, encodeCommand } from '../command/codec.ts'
import { decodeRecord, encodeRecord } from '../command/record.ts'
import { PeerError, type Peers } from '../cluster/peers.ts'
import { KetaEngine } from '../engine/engine.ts'
import type { ClusterEngineOptions } from '../engine/ports.ts'
import { Reign } from '../engine/reign.ts'
import type { SharedLog } from '../log/log.ts'
import { execute } from '../state/execute.ts'
import { SnapshotLoader } from '../state/snapshot.ts'
import { StateMachine } from '../state/state-machine.ts'
import type { Cluster } from './cluster.fixture.ts'
import type { Network } from './network.fixture.ts'
import type { Plan } from './plan.fixture.ts'
import { operationOf } from './requests.fixture.ts'
import type { Process, World } from './world.fixture.ts'

export interface Scene {
  readonly world: World
  readonly network: Network
  readonly cluster: Cluster
}

export interface KnownBad {
  readonly name: string
  /** How it shows. */
  readonly found: RegExp
  /** Without it the bug would not matter. */
  readonly plan?: (plan: Plan) => Plan
  /** Puts the bug into classes. @return takes it out again. */
  readonly install?: (scene: Scene) => () => void
  /** Puts it between an engine and its ports. */
  readonly disturb?: (options: ClusterEngineOptions, process: Process) => ClusterEngineOptions
}

/** A leader is cut off often, and another one follows soon, while it is read from rather than written to. */
const cutOff = (plan: Plan): Plan => ({
  ...plan,
  nodes: Math.max(3, plan.nodes),
  faults: ['cut node', 'cut log', 'mislead'],
  faultEveryMs: 500,
  thinkMs: 60,
  reads: 400,
  tickIntervalMs: 3_000,
  group: { ...plan.group, delayMs: 20, sessionMs: 1_000 },
})
const withFaults =
  (...faults: Plan['faults']) =>
  (plan: Plan): Plan => ({ ...plan, nodes: Math.max(3, plan.nodes), faults: [...faults, ...plan.faults] })

export const KNOWN_BAD: readonly KnownBad[] = [
  {
    name: 'commands of an epoch that is over take effect',
    found: /took effect/,
    plan: withFaults('cut log', 'pause', 'mute log'),
    install: () => replace(StateMachine.prototype, 'apply', staleEpochsCount),
  },
  {
    name: 'a write is acknowledged before it is durable',
    found: /not durable/,
    disturb: (options) => withLog(options, (log) => ({ append: (records) => acknowledgeAtOnce(log, records) })),
  },
  {
    name: 'a batch is sent again under new numbers',
    found: /took effect twice|differs/,
    plan: (plan) => ({ ...plan, log: { ...plan.log, lostAcks: 0.2 } }),
    disturb: (options) => withLog(options, (log) => ({ append: resendRenumbered(log, options) })),
  },
  {
    name: 'reads trust the end of the log that was last heard of',
    found: /a linearizable read saw/,
    plan: withFaults('cut log', 'isolate'),
    install: () => replace(KetaEngine.prototype, 'read', (original) => readAtKnownEnd(original)),
  },
  {
    name: 'a successor does not wait for the read lease to end',
    found: /a linearizable read saw|was revoked/,
    plan: (plan) => ({ ...cutOff(plan), readLeaseMs: 4_000 }),
    install: () =>
      replaceGetter(StateMachine.prototype, 'claimer', (claimer) => claimer && { ...claimer, readLeaseMs: 0 }),
  },
  {
    name: 'a leader reads for as long as the group answers its heartbeats',
    found: /a linearizable read saw|was revoked/,
    plan: cutOff,
    install: ({ network, world }) =>
      replace(KetaEngine.prototype, 'read', (original) => {
        return function read(this: KetaEngine, serializable, work) {
          const isMember = world.current !== undefined && network.reachesGroup(world.current.node)
          return original.call(this, serializable || (this.leading && isMember), work) as ReturnType<typeof work>
        }
      }),
  },
  {
    name: 'a follower answers a linearizable read at once',
    found: /a linearizable read saw/,
    install: () =>
      replace(KetaEngine.prototype, 'read', (original) => {
        return function read(this: KetaEngine, serializable, work) {
          return original.call(this, serializable || !this.leading, work) as ReturnType<typeof work>
        }
      }),
  },
  {
    name: 'a write whose answer is lost is forwarded again',
    found: /took effect twice/,
    plan: (plan) => ({ ...plan, nodes: 3, peers: { ...plan.peers, lostAnswers: 0.1 } }),
    disturb: (options) => ({
      ...options,
      cluster: { ...options.cluster, peers: forwardingTwice(options.cluster.peers) },
    }),
  },
  {
    name: 'a snapshot does not say up to where it reaches',
    found: /differs|did not serve/,
    plan: (plan) => ({ ...withFaults('crash', 'stop')(plan), snapshotLogBytes: 1_000 }),
    install: () =>
      replace(SnapshotLoader.prototype, 'finish', (original) => {
        return function finish(this: SnapshotLoader) {
          const { store, leases, alarms, claimer, featureLevel } = original.call(this)
          return new StateMachine({ store, leases, alarms, claimer, featureLevel })
        }
      }),
  },
  {
    name: 'a lease runs out without a record',
    found: /differs/,
    plan: (plan) => ({ ...plan, leaseHolders: 3 }),
    install: ({ cluster, world }) =>
      replace(Reign.prototype, 'submit', (original) => {
        return function submit(this: Reign, command, payload) {
          const machine = world.current && cluster.runOf(world.current)?.machine
          const isExpiry = command.kind === 'leaseRevoke' && operationOf(payload) === undefined
          if (!isExpiry || machine === undefined) return original.call(this, command, payload)
          const { response } = execute(machine, { command, author: undefined }, machine.position.offset)
          this.leases.revoked(command.id)
          return Promise.resolve({ response: response ?? { kind: 'leaseRevoke' }, revision: machine.store.revision })
        }
      }),
  },
  {
    name: 'a lease of the predecessor is not armed anew',
    found: /was revoked/,
    plan: (plan) => ({ ...withFaults('crash', 'stop', 'pause')(plan), leaseHolders: 3 }),
    install: ({ world }) => impatientLeases(world),
  },
  {
    name: 'a replica that has missed records applies the next ones all the same',
    found: /differs|LogDiverged/,
    plan: withFaults('crash'),
    install: () => replace(StateMachine.prototype, 'apply', gapsDoNotMatter),
    disturb: (options) => withLog(options, (log) => ({ follow: (from, signal) => skipping(log.follow(from, signal)) })),
  },
]

/** What a replica of the same state does with records that it should ignore. */
function staleEpochsCount(original: StateMachine['apply']): StateMachine['apply'] {
  return function apply(this: StateMachine, offset, bytes, decoded) {
    const applied = original.call(this, offset, bytes, decoded)
    if (applied.status !== 'ignored' || applied.reason !== 'stale-epoch') return applied
    const { kind, payload } = decodeRecord(bytes)
    return kind === 'command' ? execute(this, decodeAuthored(payload), offset) : applied
  }
}

function gapsDoNotMatter(original: StateMachine['apply']): StateMachine['apply'] {
  return function apply(this: StateMachine, offset, bytes, decoded) {
    const { epoch, owner, seq, hash } = this.position
    const { payload, ...header } = decodeRecord(bytes)
    const isGap = header.kind !== 'claim' && header.epoch === epoch && header.owner === owner && header.seq > seq + 1
    const applied = isGap ? encodeRecord({ ...header, seq: seq + 1, previousHash: hash }, payload) : bytes
    return original.call(this, offset, applied, decoded)
  }
}

function acknowledgeAtOnce(log: SharedLog, records: readonly Uint8Array[]): ReturnType<SharedLog['append']> {
  const baseOffset = log.endOffset
  const appended = log.append(records)
  return Promise.race([appended, Promise.resolve({ baseOffset })])
}

/** After a while without an answer the same commands are sent as the next records. */
function resendRenumbered(log: SharedLog, { clock }: ClusterEngineOptions): SharedLog['append'] {
  return async (records, signal) => {
    const patience = new AbortController()
    const giveUp = (): void => patience.abort()
    signal?.addEventListener('abort', giveUp)
    const timer = clock.setTimer(400, giveUp)
    try {
      return await log.append(records, patience.signal)
    } catch (error) {
      if (signal?.aborted === true || decodeRecord(records[0]!).kind === 'claim') throw error
      return await log.append(renumbered(records), signal)
    } finally {
      timer.cancel()
      signal?.removeEventListener('abort', giveUp)
    }
  }
}

function renumbered(records: readonly Uint8Array[]): readonly Uint8Array[] {
  const first = decodeRecord(records[0]!)
  let hash = records.reduce((before, record) => chainHash(before, record), first.previousHash)
  return records.map((bytes) => {
    const record = decodeRecord(bytes)
    const again = encodeRecord({ ...record, seq: record.seq + records.length, previousHash: hash }, record.payload)
    hash = chainHash(hash, again)
    return again
  })
}

function readAtKnownEnd(original: KetaEngine['read']): KetaEngine['read'] {
  return function read(this: KetaEngine, serializable, work) {
    const { appendedIndex, appliedIndex } = this.status()
    return original.call(this, serializable || appliedIndex >= appendedIndex, work) as ReturnType<typeof work>
  }
}

function forwardingTwice(peers: Peers): Peers {
  return {
    connect(urls, onGone) {
      const link = peers.connect(urls, onGone)
      return {
        close: () => link.close(),
        request: (request, timeoutMs) => {
          const wait = request.kind === 'forward' ? 300 : timeoutMs
          return link.request(request, wait).catch((error: unknown) => {
            if (request.kind === 'forward' && error instanceof PeerError) return link.request(request, timeoutMs)
            throw error
          })
        },
      }
    },
  }
}

/** Leases that have been held for some time are given up at once by a new leader. */
function impatientLeases(world: World): () => void {
  return replace(Reign.prototype, 'start', (original) => {
    return function start(this: Reign) {
      original.call(this)
      const process = world.current
      for (const id of this.leases.idsBySoonestExpiry()) {
        process?.clock.setTimer(300, () => {
          const command = { kind: 'leaseRevoke', id } as const
          this.submit(command, encodeCommand(command)).catch(() => undefined)
        })
      }
    }
  })
}

async function* skipping(batches: ReturnType<SharedLog['follow']>): ReturnType<SharedLog['follow']> {
  let count = 0
  for await (const batch of batches) if (++count % 20 !== 0 || batch.records.length === 0) yield batch
}

function withLog(options: ClusterEngineOptions, change: (log: SharedLog) => Partial<SharedLog>): ClusterEngineOptions {
  const { log } = options.cluster
  const changed: SharedLog = {
    logId: log.logId,
    get startOffset() {
      return log.startOffset
    },
    get endOffset() {
      return log.endOffset
    },
    get sizeBytes() {
      return log.sizeBytes
    },
    append: (records, signal) => log.append(records, signal),
    read: (from) => log.read(from),
    follow: (from, signal) => log.follow(from, signal),
    dropBefore: (offset) => log.dropBefore(offset),
    close: () => log.close(),
  }
  return { ...options, cluster: { ...options.cluster, log: Object.assign(changed, change(log)) } }
}

function replace<T extends object, K extends keyof T>(
  target: T,
  name: K,
  change: (original: T[K]) => T[K],
): () => void {
  const original = target[name]
  target[name] = change(original)
  return () => {
    target[name] = original
  }
}

function replaceGetter<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  change: (value: T[K]) => T[K],
): () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, name)!
  Object.defineProperty(prototype, name, {
    configurable: true,
    get(this: T) {
      return change(original.get!.call(this) as T[K])
    },
  })
  return () => Object.defineProperty(prototype, name, original)
}
