/** Builds and runs the Go load generator of `bench/loadgen`. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ensureGoPrograms } from '../test-servers/go-programs.ts'
import type { TestServer } from '../test-servers/server.ts'

/** One run; see `bench/loadgen/report.go`. Latencies in ms, CPU in µs per operation, memory in bytes. */
export interface LoadResult {
  readonly workload: string
  readonly clients: number
  readonly operations: number
  readonly errors: number
  readonly firstError?: string
  readonly seconds: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly serverCpu: number
  /** Of each process of the target by itself. */
  readonly serverCpus: readonly number[]
  readonly clientCpu: number
  readonly otherCpu: number
  readonly serverRss: number
  readonly putP50?: number
  readonly putP99?: number
  readonly lastP50?: number
  readonly lastP99?: number
}

const run = promisify(execFile)
const SOURCE = fileURLToPath(new URL('./loadgen', import.meta.url))

/** Resolves to the program's path. @throws MissingToolchainError without Go */
export async function buildLoadgen(): Promise<string> {
  const folder = await ensureGoPrograms({ name: 'load-generator', module: SOURCE, packages: { loadgen: '.' } })
  return join(folder, 'loadgen')
}

/** What is loaded, and whose CPU and memory count as its own. */
export interface Target {
  readonly name: string
  /** Connections go to them in turn. */
  readonly endpoints: readonly string[]
  readonly pids: readonly number[]
}

/** As `loadTarget`. */
export function load(program: string, server: TestServer, args: readonly string[]): Promise<LoadResult> {
  return loadTarget(program, { name: server.name, endpoints: [server.endpoint], pids: [server.pid] }, args)
}

/** @throws if a single operation failed: figures of a failing run mean nothing. */
export async function loadTarget(
  program: string,
  { name, endpoints, pids }: Target,
  args: readonly string[],
): Promise<LoadResult> {
  const { stdout } = await run(program, [...args, '--endpoints', endpoints.join(), '--pid', pids.join()])
  const result = JSON.parse(stdout) as LoadResult
  if (result.errors > 0) {
    throw new Error(`${name}: ${result.errors} of ${args.join(' ')} failed, first: ${result.firstError ?? '?'}`)
  }
  return result
}
