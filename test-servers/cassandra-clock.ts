/** Clocks of a test's Cassandra that can be set while it runs: a small class of Java, and a file that it reads. */
import { execFile } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { JAVA_ENVIRONMENT, type JavaInstallation } from './java-installation.ts'
import { missing } from './server.ts'

const SOURCE = fileURLToPath(new URL('./cassandra/ShiftedClock.java', import.meta.url))
const run = promisify(execFile)

/**
 * @param dataDir the class and the file go there
 * @throws MissingToolchainError without a Java compiler
 */
export async function makeClock({ directory }: JavaInstallation, dataDir: string, aheadMs: number): Promise<void> {
  setClock(dataDir, aheadMs)
  const libraries = join(directory, 'libs', '*')
  try {
    await run('javac', ['-proc:none', '-d', classes(dataDir), '-cp', libraries, SOURCE], {
      env: { ...process.env, ...JAVA_ENVIRONMENT },
    })
  } catch (error) {
    throw missing('javac', `The Java compiler (javac) is not installed, so Cassandra's clock can't be set`, error)
  }
}

/** For a node that was started with `clockArguments`. */
export function setClock(dataDir: string, aheadMs: number): void {
  const file = clockFile(dataDir)
  writeFileSync(`${file}.new`, String(Math.trunc(aheadMs)))
  // in one step: the node may look at any time
  renameSync(`${file}.new`, file)
}

/** Java's arguments, among them the class path. @param libraries the class path without a clock */
export function clockArguments(libraries: string, dataDir: string): readonly string[] {
  return [
    '-Dcassandra.clock=ShiftedClock',
    `-Dshifted.clock.file=${clockFile(dataDir)}`,
    // behind the others, or the archive of their classes does not fit
    ...['-cp', [libraries, classes(dataDir)].join(delimiter)],
  ]
}

function classes(dataDir: string): string {
  return join(dataDir, 'clock')
}

function clockFile(dataDir: string): string {
  return join(dataDir, 'clock-ahead-ms')
}
