/**
 * This project's own server as a real process: the built one if it is newer than its sources, else from the sources.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { ChannelCredentials } from '@grpc/grpc-js'
import { answersReads } from './etcd-ready.ts'
import { freePort } from './ports.ts'
import { startProcessServer } from './process-server.ts'
import type { TestServer } from './server.ts'

export interface KetaOptions {
  /** Further flags. */
  readonly flags?: readonly string[]
  /** It speaks TLS, as the flags say; with these it is asked whether it is ready. */
  readonly secured?: ChannelCredentials
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BUILT = join(ROOT, 'dist/keta/bin/keta.js')
const SOURCE = join(ROOT, 'keta/bin/keta.ts')
const TYPESCRIPT_LOADER = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/** A fresh server on its embedded log. */
export async function startKeta(options: KetaOptions = {}): Promise<TestServer> {
  const endpoint = `127.0.0.1:${await freePort()}`
  const clientUrl = `${options.secured === undefined ? 'http' : 'https'}://${endpoint}`
  return startProcessServer({
    name: 'keta',
    endpoint,
    command: process.execPath,
    arguments: (dataDir) => [
      ...ketaProgram(),
      ...['--name', 'default', '--data-dir', dataDir],
      ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
      ...(options.flags ?? []),
    ],
    isReady: () => answersReads(endpoint, options.secured),
  })
}

/** What node is given to run this project's server. */
export function ketaProgram(): readonly string[] {
  const isFresh = existsSync(BUILT) && statSync(BUILT).mtimeMs > newestSource(join(ROOT, 'keta'))
  return isFresh ? [BUILT] : ['--import', TYPESCRIPT_LOADER, SOURCE]
}

/** The time of the last change of a source file that is part of the server. */
function newestSource(directory: string): number {
  const times = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('test/'))
    .map((path) => statSync(join(directory, path)).mtimeMs)
  return Math.max(...times)
}
