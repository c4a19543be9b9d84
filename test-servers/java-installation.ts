/** The jars of a server that runs on Java: fetched once by Maven into the project's cache, and found there again. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { withBuildLock } from './build-lock.ts'
import { MissingToolchainError } from './server.ts'

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
const CACHE = fileURLToPath(new URL('../.cache', import.meta.url))
const run = promisify(execFile)

/** @throws MissingToolchainError without Java 17 or, when the jars are not there yet, without Maven */
export async function installJars(release: JavaRelease): Promise<JavaInstallation> {
  const java = await javaVersion(release)
  const directory = join(CACHE, release.name)
  const stampFile = join(directory, 'built-from')
  const stamp = sha256(readFileSync(release.pom, 'utf8'))
  const isInstalled = (): boolean => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp
  if (!isInstalled()) {
    await whileInstalling(release, async () => {
      if (!isInstalled()) await fetchJars(release, directory, stamp)
    })
  }
  return { directory, archive: join(directory, `classes-${sha256(java).slice(0, 12)}.jsa`) }
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
  await whileInstalling(release, async () => {
    if (existsSync(archive)) return
    const fresh = `${archive}.new`
    rmSync(fresh, { force: true })
    await record(fresh)
    if (!existsSync(fresh)) throw new Error(`Java has recorded no classes of ${release.name}`)
    renameSync(fresh, archive)
  })
}

/** One process at a time changes what is installed of a release. */
async function whileInstalling<T>({ name }: JavaRelease, work: () => Promise<T>): Promise<T> {
  mkdirSync(CACHE, { recursive: true })
  return withBuildLock(join(CACHE, `${name}.lock`), work)
}

async function fetchJars({ product, name, pom }: JavaRelease, directory: string, stamp: string): Promise<void> {
  const fresh = `${directory}.new`
  rmSync(fresh, { recursive: true, force: true })
  process.stderr.write(`fetching ${name} (once; up to a minute)\n`)
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${join(fresh, 'libs')}`]
  try {
    await run('mvn', ['-q', '-B', '-f', pom, ...goal], { maxBuffer: 1 << 24 })
    writeFileSync(join(fresh, 'built-from'), stamp)
    rmSync(directory, { recursive: true, force: true })
    renameSync(fresh, directory)
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true })
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

/** The error to throw when `program` failed: a program that is not there is a missing toolchain. */
export function missing(program: string, message: string, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code !== 'ENOENT' || syscall !== `spawn ${program}`) return error
  return new MissingToolchainError(message, { cause: error })
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
