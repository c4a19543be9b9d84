/** The real etcd 3.6.16 with its tools, built from its Go modules, and started as a single member. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { withBuildLock } from './build-lock.ts'
import { answersReads } from './etcd-ready.ts'
import { freePort } from './ports.ts'
import { startProcessServer } from './process-server.ts'
import { MissingToolchainError, type TestServer } from './server.ts'

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
  /** false: writes are not synced to disk, for tests that need many quick answers and no durability. Default true. */
  readonly fsync?: boolean
}

const PACKAGES: Readonly<Record<keyof EtcdPrograms, string>> = {
  etcd: 'go.etcd.io/etcd/server/v3',
  etcdctl: 'go.etcd.io/etcd/etcdctl/v3',
  etcdutl: 'go.etcd.io/etcd/etcdutl/v3',
}
const MODULE = fileURLToPath(new URL('./etcd', import.meta.url))
const CACHE = fileURLToPath(new URL('../.cache', import.meta.url))
const run = promisify(execFile)

/**
 * Builds etcd, etcdctl and etcdutl, or finds them built by an earlier run. The first build takes some minutes.
 * @throws MissingToolchainError without Go
 */
export async function ensureEtcd(): Promise<EtcdPrograms> {
  const directory = join(CACHE, `etcd-${ETCD_VERSION}`)
  const stampFile = join(directory, 'built-from')
  const stamp = sourceStamp()
  const isBuilt = (): boolean => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp
  if (!isBuilt()) {
    mkdirSync(CACHE, { recursive: true })
    await withBuildLock(`${directory}.lock`, async () => {
      if (isBuilt()) return
      await build(directory, stamp)
    })
  }
  return { etcd: join(directory, 'etcd'), etcdctl: join(directory, 'etcdctl'), etcdutl: join(directory, 'etcdutl') }
}

/** A fresh single-member cluster. */
export async function startEtcd(options: EtcdOptions = {}): Promise<TestServer> {
  const { etcd } = await ensureEtcd()
  const endpoint = `127.0.0.1:${await freePort()}`
  const clientUrl = `http://${endpoint}`
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
    isReady: () => answersReads(endpoint),
  })
}

async function build(directory: string, stamp: string): Promise<void> {
  const fresh = `${directory}.${process.pid}`
  process.stderr.write(`building etcd ${ETCD_VERSION} (once; some minutes)\n`)
  mkdirSync(fresh, { recursive: true })
  try {
    for (const [program, goPackage] of Object.entries(PACKAGES)) {
      const options = ['build', '-buildvcs=false', '-o', join(fresh, program), goPackage]
      await run('go', options, { cwd: MODULE, maxBuffer: 1 << 24 })
    }
    writeFileSync(join(fresh, 'built-from'), stamp)
    rmSync(directory, { recursive: true, force: true })
    renameSync(fresh, directory)
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true })
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new MissingToolchainError(`Go is not installed, so etcd ${ETCD_VERSION} can't be built`, { cause: error })
    }
    throw error
  }
}

/** Changes when the pinned modules change. */
function sourceStamp(): string {
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(MODULE, file)))
  return hash.digest('hex')
}
