/** The real etcd 3.6.16 with its tools, built from its Go modules, and started as a single member. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ChannelCredentials } from '@grpc/grpc-js'
import { answersReads } from './etcd-ready.ts'
import { ensureGoPrograms } from './go-programs.ts'
import { freePort } from './ports.ts'
import { startProcessServer } from './process-server.ts'
import type { TestServer } from './server.ts'

export const ETCD_VERSION = '3.6.16'

/** Paths of the programs. */
export interface EtcdPrograms {
  readonly etcd: string
  readonly etcdctl: string
  readonly etcdutl: string
}

export interface EtcdOptions {
  /** Further flags of etcd. */
  readonly flags?: readonly string[]
  /** It speaks TLS, as the flags say; with these it is asked whether it is ready. */
  readonly secured?: ChannelCredentials
  /** false: writes are not synced to disk, for tests that need many quick answers and no durability. Default true. */
  readonly fsync?: boolean
}

const PACKAGES: Readonly<Record<keyof EtcdPrograms, string>> = {
  etcd: 'go.etcd.io/etcd/server/v3',
  etcdctl: 'go.etcd.io/etcd/etcdctl/v3',
  etcdutl: 'go.etcd.io/etcd/etcdutl/v3',
}
const MODULE = fileURLToPath(new URL('./etcd', import.meta.url))

/**
 * Builds etcd, etcdctl and etcdutl, or finds them built by an earlier run. The first build takes some minutes.
 * @throws MissingToolchainError without Go
 */
export async function ensureEtcd(): Promise<EtcdPrograms> {
  const directory = await ensureGoPrograms({ name: `etcd-${ETCD_VERSION}`, module: MODULE, packages: PACKAGES })
  return { etcd: join(directory, 'etcd'), etcdctl: join(directory, 'etcdctl'), etcdutl: join(directory, 'etcdutl') }
}

/** A fresh single-member cluster. */
export async function startEtcd(options: EtcdOptions = {}): Promise<TestServer> {
  const { etcd } = await ensureEtcd()
  const endpoint = `127.0.0.1:${await freePort()}`
  const clientUrl = `${options.secured === undefined ? 'http' : 'https'}://${endpoint}`
  const peerUrl = `http://127.0.0.1:${await freePort()}`
  return startProcessServer({
    name: 'etcd',
    endpoint,
    command: etcd,
    arguments: (dataDir) => [
      ...['--name', 'default', '--data-dir', dataDir, '--log-level', 'warn'],
      ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', `default=${peerUrl}`],
      ...(options.fsync === false ? ['--unsafe-no-fsync'] : []),
      ...(options.flags ?? []),
    ],
    isReady: () => answersReads(endpoint, options.secured),
  })
}
