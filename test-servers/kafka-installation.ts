/** Kafka's jars, fetched once by Maven into the project's cache, and how Java is started on them. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { withBuildLock } from './build-lock.ts'
import { MissingToolchainError } from './server.ts'

/** 3.9 is the last line that older clients know, 4 the newest. */
export type KafkaVersion = '3.9' | '4'

export const KAFKA_RELEASES: Readonly<Record<KafkaVersion, string>> = { '3.9': '3.9.2', '4': '4.4.0' }

export interface KafkaInstallation {
  readonly release: string
  /** Holds the jars in `libs`. */
  readonly directory: string
  /** Where the class archive of this machine's Java is, or will be. */
  readonly archive: string
}

/** Java's own variables would change the servers behind the test's back. */
export const JAVA_ENVIRONMENT: Readonly<Record<string, string>> = { JAVA_TOOL_OPTIONS: '', JDK_JAVA_OPTIONS: '' }

const JAVA_MIN = 17
const SOURCES = fileURLToPath(new URL('./kafka', import.meta.url))
const CACHE = fileURLToPath(new URL('../.cache', import.meta.url))
const run = promisify(execFile)

/** @throws MissingToolchainError without Java 17 or, when the jars are not there yet, without Maven */
export async function installKafka(version: KafkaVersion): Promise<KafkaInstallation> {
  const java = await javaVersion()
  const release = KAFKA_RELEASES[version]
  const directory = join(CACHE, `kafka-${release}`)
  const pom = join(SOURCES, version, 'pom.xml')
  const stampFile = join(directory, 'built-from')
  const stamp = sha256(readFileSync(pom, 'utf8'))
  const isInstalled = (): boolean => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp
  if (!isInstalled()) {
    await whileInstalling(release, async () => {
      if (!isInstalled()) await fetchJars(release, directory, pom, stamp)
    })
  }
  return { release, directory, archive: join(directory, `classes-${sha256(java).slice(0, 12)}.jsa`) }
}

/** One process at a time changes what is installed of a release. */
export async function whileInstalling<T>(release: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(CACHE, { recursive: true })
  return withBuildLock(join(CACHE, `kafka-${release}.lock`), work)
}

/** Java's arguments up to the main class: made for a quick start and little memory. */
export function javaArguments({ directory }: KafkaInstallation, heapMb: number): readonly string[] {
  const log4j = pathToFileURL(join(SOURCES, 'log4j.properties')).href
  return [
    ...[`-Xmx${heapMb}m`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
    ...['-cp', join(directory, 'libs', '*'), `-Dlog4j.configuration=${log4j}`],
    ...['showDateTime=true', 'dateTimeFormat=HH:mm:ss.SSS'].map((setting) => `-Dorg.slf4j.simpleLogger.${setting}`),
  ]
}

async function fetchJars(release: string, directory: string, pom: string, stamp: string): Promise<void> {
  const fresh = `${directory}.new`
  rmSync(fresh, { recursive: true, force: true })
  process.stderr.write(`fetching Kafka ${release} (once; up to a minute)\n`)
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${join(fresh, 'libs')}`]
  try {
    await run('mvn', ['-q', '-B', '-f', pom, ...goal], { maxBuffer: 1 << 24 })
    writeFileSync(join(fresh, 'built-from'), stamp)
    rmSync(directory, { recursive: true, force: true })
    renameSync(fresh, directory)
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true })
    throw missing('mvn', `Maven (mvn) is not installed, so Kafka ${release} can't be fetched`, error)
  }
}

async function javaVersion(): Promise<string> {
  try {
    const { stderr } = await run('java', ['-version'], { env: { ...process.env, ...JAVA_ENVIRONMENT } })
    const major = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0)
    if (major < JAVA_MIN) throw new MissingToolchainError(`Kafka needs Java ${JAVA_MIN} or later; java is ${major}`)
    return stderr
  } catch (error) {
    throw missing('java', `Java (java) is not installed, so Kafka can't run`, error)
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
