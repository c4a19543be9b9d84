/** What must be so when everything is mended: all nodes hold the same, and no lease outlives its time. */
import { setTimeout as delay } from 'node:timers/promises'
import { KV, Lease, Maintenance } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from '../api-client.fixture.ts'
import type { TestServer } from '../../../test-servers/server.ts'

/** More than the time of a lease: a leader looks at its leases every so often, and the machine may be busy. */
const PATIENCE_MS = 5_000
/** What a node says of itself when something happened that must not. */
const DEFECT = /"level":"(error|fatal)"|a defect made/

/** @returns the revision of all nodes, and in what they differ. */
export async function disagreements(
  endpoints: readonly string[],
): Promise<{ readonly revision: number; readonly found: readonly string[] }> {
  const clients = endpoints.map((endpoint) => new ApiClient(endpoint))
  try {
    const ranges = await Promise.all(clients.map((client) => client.call(KV.method.range, { key: Buffer.from('\0') })))
    const revision = ranges.reduce((least, { header }) => {
      const at = header?.revision ?? 0n
      return at < least ? at : least
    }, 2n ** 62n)
    const hashes = await Promise.all(clients.map((client) => client.call(Maintenance.method.hashKV, { revision })))
    const told = hashes.map(({ hash, compactRevision }) => `${hash} (compacted at ${compactRevision})`)
    return { revision: Number(revision), found: different(told, Number(revision)) }
  } finally {
    for (const client of clients) client.close()
  }
}

/** @returns leases that nobody renewed and that are still there on some node. */
export async function survivingLeases(endpoints: readonly string[], ttlMs: number): Promise<readonly string[]> {
  const deadline = performance.now() + ttlMs + PATIENCE_MS
  for (;;) {
    const left = await Promise.all(endpoints.map(leasesAt))
    if (left.every((ids) => ids.length === 0)) return []
    if (performance.now() > deadline) {
      return left.flatMap((ids, node) => ids.map((id) => `lease ${id} has not ended at node ${node}`))
    }
    await delay(100)
  }
}

async function leasesAt(endpoint: string): Promise<readonly bigint[]> {
  const client = new ApiClient(endpoint)
  try {
    const { leases } = await client.call(Lease.method.leaseLeases, {})
    return leases.map(({ ID }) => ID)
  } finally {
    client.close()
  }
}

function different(told: readonly string[], revision: number): readonly string[] {
  return new Set(told).size === 1 ? [] : [`the nodes differ at revision ${revision}: ${told.join(', ')}`]
}

/** What the nodes say of themselves that must not be. */
export function complaints(nodes: readonly TestServer[]): readonly string[] {
  return nodes.flatMap((node) =>
    node
      .log()
      .split('\n')
      .filter((line) => DEFECT.test(line))
      .slice(0, 3)
      .map((line) => `${node.name} says: ${line}`),
  )
}
