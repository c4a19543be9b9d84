/** All services of the server, as one table for a transport; and what it answers to other nodes. */
import type { PeerHandler } from '../cluster/peers.ts'
import type { Credentials } from '../credentials/credentials.ts'
import type { Engine } from '../engine/api.ts'
import { DEFAULT_MAX_TXN_OPS } from '../state/checks.ts'
import { electionService } from '../recipes/election.ts'
import { lockService } from '../recipes/lock.ts'
import type { Method, ServiceTable } from '../transport/transport.ts'
import { guarded } from './access-rules.ts'
import { authService } from './auth.ts'
import { Callers } from './callers.ts'
import { clusterService } from './cluster.ts'
import { Headers } from './header.ts'
import { healthService, type Readiness } from './health.ts'
import { kvService } from './kv.ts'
import { leaseService } from './lease.ts'
import { maintenanceService } from './maintenance.ts'
import { peerRequests } from './peer-requests.ts'
import { reflectionServices } from './reflection.ts'
import { Routes } from './routes.ts'
import { watchService } from './watch.ts'

export interface ServiceOptions {
  /** Reported by Status. Clients parse it: kube-apiserver asks for progress notifications from 3.5.13 on. */
  readonly version: string
  readonly readiness: Readiness
  /** Random bytes, for the lease ids that the server chooses, and for tokens. */
  readonly random: (count: number) => Uint8Array
  readonly credentials: Credentials
  /** Shortest TTL of a lease, in seconds. etcd's is 1.5 election timeouts: 2 by default. */
  readonly minLeaseTtl?: number
  readonly maxTxnOps?: number
  /** Size in bytes from which on a watch answer is cut, if its watcher asked for fragments. */
  readonly watchFragmentBytes?: number
}

const DEFAULT_MIN_LEASE_TTL = 2
/** etcd's --max-request-bytes plus the 512 KiB that it grants to whatever is around a request. */
const DEFAULT_WATCH_FRAGMENT_BYTES = 2 * 1024 * 1024
/** The storage version that belongs to etcd 3.6. */
const STORAGE_VERSION = '3.6.0'

export interface Services {
  readonly table: ServiceTable
  /** What this node answers to the others of its cluster. */
  readonly peerHandler: PeerHandler
}

export function createServices(engine: Engine, options: ServiceOptions): Services {
  const headers = new Headers(engine)
  const { access } = engine
  const { credentials } = options
  const callers = new Callers({ access, signedTokens: credentials.signedTokens })
  const routes = new Routes(engine, headers, callers)
  const { version, readiness, random, minLeaseTtl = DEFAULT_MIN_LEASE_TTL } = options
  const fragmentBytes = options.watchFragmentBytes ?? DEFAULT_WATCH_FRAGMENT_BYTES
  const table = new Map<string, ReadonlyMap<string, Method>>([
    ['etcdserverpb.KV', kvService(engine, headers, routes, callers, options.maxTxnOps ?? DEFAULT_MAX_TXN_OPS)],
    ['etcdserverpb.Watch', watchService(engine, headers, callers, fragmentBytes)],
    ['etcdserverpb.Lease', leaseService(engine, headers, routes, { minLeaseTtl, random })],
    ['etcdserverpb.Cluster', clusterService(engine, headers)],
    [
      'etcdserverpb.Maintenance',
      maintenanceService(engine, headers, routes, { version, storageVersion: STORAGE_VERSION }),
    ],
    ['etcdserverpb.Auth', authService({ engine, headers, routes, callers, credentials, random })],
    ['grpc.health.v1.Health', healthService(readiness)],
  ])
  table.set('v3lockpb.Lock', lockService(table))
  table.set('v3electionpb.Election', electionService(table))
  for (const [name, methods] of reflectionServices(table)) table.set(name, methods)
  return { table: guarded(table, callers, access), peerHandler: peerRequests(engine, routes) }
}
