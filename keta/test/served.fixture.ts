/** The server as a process that serves, on a data directory that the test keeps. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guardDirectory } from '../../test-servers/reaper.ts'
import { KetaProcess, type LogLine } from './keta-process.ts'

const START_DEADLINE_MS = 30_000

export interface Served {
  readonly process: KetaProcess
  /** 'host:port' */
  readonly endpoint: string
}

/** What the server logs as an error, or a defect at any level. */
export function errorsOf({ log }: KetaProcess): readonly LogLine[] {
  return log.filter(({ level, msg }) => level === 'error' || msg.includes('defect'))
}

export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `keta-${name}-`))
  guardDirectory(directory)
  return directory
}

/** Does not wait until it serves. */
export function launch(dataDir: string, flags: readonly string[] = []): KetaProcess {
  return new KetaProcess([`--data-dir=${dataDir}`, '--listen-client-urls=http://127.0.0.1:0', ...flags])
}

export async function serve(dataDir: string, flags: readonly string[] = []): Promise<Served> {
  return served(launch(dataDir, flags))
}

/** Resolves when it serves. @throws if it ends before, or does not serve within 30 s */
export async function served(keta: KetaProcess): Promise<Served> {
  const late = setTimeout(() => keta.kill('SIGKILL'), START_DEADLINE_MS)
  const ready = await keta.logged('ready to serve client requests')
  clearTimeout(late)
  const [url = ''] = ready['listen-client-urls'] as readonly string[]
  return { process: keta, endpoint: url.replace('http://', '') }
}

/** Resolves when the process is gone. */
export async function kill(keta: KetaProcess): Promise<void> {
  keta.kill('SIGKILL')
  await keta.finished
}

/** Memory of the process that is in use, in MiB. */
export function residentMib({ child }: KetaProcess): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(child.pid)], { encoding: 'utf8' })) / 1024
}
