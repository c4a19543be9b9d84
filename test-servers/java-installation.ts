/** The jars of a server that runs on Java: fetched once by Maven into the project's cache, and found there again. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureFolder, stampOf, whileChanging } from './cached-folder.ts'
import { missing, MissingToolchainError } from './server.ts'

export interface JavaRelease {
  /** For messages: `Kafka`. */
  readonly product: string
  /** Of the folder in the cache: `kafka-3.9.2`. */
  readonly name: string
  /** What names the jars as dependencies. */
  readonly pom: string
}

export interface JavaInstallation {
  /** Holds the jars in `libs`. */
  readonly directory: string
  /** Where the class archive of this machine's Java is, or will be. */
  readonly archive: string
}

/** Java's own variables would change the servers behind the test's back. */
export const JAVA_ENVIRONMENT: Readonly<Record<string, string>> = { JAVA_TOOL_OPTIONS: '', JDK_JAVA_OPTIONS: '' }

const JAVA_MIN = 17
const run = promisify(execFile)

/** @throws MissingToolchainError without Java 17 or, when the jars are not there yet, without Maven */
export async function installJars(release: JavaRelease): Promise<JavaInstallation> {
  const java = await javaVersion(release)
  const { name, pom } = release
  const directory = await ensureFolder({
    name,
    stamp: stampOf([pom]),
    make: (folder) => fetchJars(release, folder),
  })
  return { directory, archive: join(directory, `classes-${hashOf(java)}.jsa`) }
}

/**
 * The classes that a server loads in its start are archived when it ends; with the archive it starts in half the time.
 * @param record runs a server once, with Java told to write the archive to the file of that name
 */
export async function ensureArchive(
  release: JavaRelease,
  { archive }: JavaInstallation,
  record: (file: string) => Promise<void>,
): Promise<void> {
  if (existsSync(archive)) return
  await whileChanging(release.name, async () => {
    if (existsSync(archive)) return
    const fresh = `${archive}.new`
    rmSync(fresh, { force: true })
    await record(fresh)
    if (!existsSync(fresh)) throw new Error(`Java has recorded no classes of ${release.name}`)
    renameSync(fresh, archive)
  })
}

async function fetchJars({ product, name, pom }: JavaRelease, folder: string): Promise<void> {
  process.stderr.write(`fetching ${name} (once; up to a minute)\n`)
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${join(folder, 'libs')}`]
  try {
    await run('mvn', ['-q', '-B', '-f', pom, ...goal], { maxBuffer: 1 << 24 })
  } catch (error) {
    throw missing('mvn', `Maven (mvn) is not installed, so ${product} can't be fetched`, error)
  }
}

async function javaVersion({ product }: JavaRelease): Promise<string> {
  try {
    const { stderr } = await run('java', ['-version'], { env: { ...process.env, ...JAVA_ENVIRONMENT } })
    const major = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0)
    if (major < JAVA_MIN)
      throw new MissingToolchainError(`${product} needs Java ${JAVA_MIN} or later; java is ${major}`)
    return stderr
  } catch (error) {
    throw missing('java', `Java (java) is not installed, so ${product} can't run`, error)
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
