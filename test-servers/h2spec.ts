/** h2spec, which tests whether a server keeps to HTTP/2 and HPACK. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureGoPrograms } from './go-programs.ts'

const MODULE = fileURLToPath(new URL('./h2spec', import.meta.url))
const OUTPUT_BYTES_MAX = 1 << 24

export interface H2specRun {
  readonly port: number
  readonly secure: boolean
  /** Sections of the specifications; all if there are none. */
  readonly sections: readonly string[]
}

/**
 * Path of the program, built if need be.
 * @throws MissingToolchainError without Go
 */
export async function ensureH2spec(): Promise<string> {
  const packages = { h2spec: 'github.com/summerwind/h2spec/cmd/h2spec' }
  return join(await ensureGoPrograms({ name: 'h2spec', module: MODULE, packages }), 'h2spec')
}

/** What it has printed, failures at the end. */
export async function runH2spec({ port, secure, sections }: H2specRun): Promise<string> {
  const program = await ensureH2spec()
  const words = [...sections, '--host', '127.0.0.1', '--port', String(port), '--path', '/x', '--timeout', '5']
  if (secure) words.push('--tls', '--insecure')
  return new Promise((resolve) => {
    // It exits with 1 if a test has failed: what it prints says which.
    execFile(program, words, { maxBuffer: OUTPUT_BYTES_MAX }, (_error, stdout, stderr) => {
      resolve(stdout + stderr)
    })
  })
}
