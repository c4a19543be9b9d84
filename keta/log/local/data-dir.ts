/**
 * The data directory: makes it, locks it, and keeps `meta.json`, which says what format it has and whose it is.
 *
 *     <dataDir>/meta.json   format version, log id, cluster id, member id; written once
 *     <dataDir>/lock        see directory-lock.ts
 *     <dataDir>/log/        segments, see segment-format.md
 *     <dataDir>/snap/       snapshots, see snapshot-files.ts
 *     <dataDir>/group-member  what the group in Kafka called the node; see kafka/name-file.ts
 *     <dataDir>/shared-log  the id of the log that it belongs to, if that is not the one in log/
 */
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { LogError } from '../log.ts'
import type { DirectoryLock } from './directory-lock.ts'
import { lockDirectory } from './directory-lock.ts'
import { diskFailure, isSystemError } from './disk-failure.ts'
import { LOG_ID_BYTES } from './segment.ts'

const FORMAT_VERSION = 1
const META = 'meta.json'
const SHARED_LOG = 'shared-log'

export interface DataDir {
  readonly path: string
  readonly logDirectory: string
  readonly snapshotDirectory: string
  readonly logId: Uint8Array
  /** Random, 63 bits, never 0. */
  readonly clusterId: bigint
  /** Random, 63 bits, never 0. */
  readonly memberId: bigint
  /** Whether this call made the directory's content. */
  readonly isNew: boolean
  /**
   * Says which shared log the directory's snapshots belong to; undefined: the one that lies in it.
   * @throws LogError 'CORRUPT' if they belong to another one: it would be wrong to go on from them.
   */
  bindTo(sharedLogId: string | undefined): void
  /** Unlocks it. Idempotent. */
  close(): void
}

interface Identity {
  readonly logId: Uint8Array
  readonly clusterId: bigint
  readonly memberId: bigint
}

/**
 * Opens the data directory for this process alone; makes it, mode 0700, if need be. Blocks briefly: for start-up only.
 * @throws LogError 'LOCKED' when another process has it; 'CORRUPT' when its content is not a data directory's or is of
 *   a newer format; 'NO_SPACE', 'IO'.
 */
export function openDataDir(directory: string): DataDir {
  const path = resolve(directory)
  try {
    makePrivateDirectory(path)
    const lock = lockDirectory(path)
    try {
      return describe(path, lock)
    } catch (error) {
      lock.release()
      throw error
    }
  } catch (error) {
    throw diskFailure(error, `opening the data directory ${path}`)
  }
}

function describe(path: string, lock: DirectoryLock): DataDir {
  const known = readIdentity(path)
  const identity = known ?? createIdentity(path)
  const logDirectory = join(path, 'log')
  const snapshotDirectory = join(path, 'snap')
  mkdirSync(logDirectory, { recursive: true, mode: 0o700 })
  mkdirSync(snapshotDirectory, { recursive: true, mode: 0o700 })
  syncDirectory(path)
  return {
    path,
    logDirectory,
    snapshotDirectory,
    ...identity,
    isNew: known === undefined,
    bindTo: (sharedLogId) => bind(path, sharedLogId, readdirSync(logDirectory).length > 0),
    close: () => lock.release(),
  }
}

function bind(path: string, wanted: string | undefined, hasLog: boolean): void {
  const file = join(path, SHARED_LOG)
  const known = readIfThere(file)
  if (known === wanted && !(hasLog && wanted !== undefined)) return
  if (known === undefined && !hasLog && wanted !== undefined) {
    writeDurably(path, SHARED_LOG, wanted)
    return
  }
  const belongs = known === undefined ? 'holds a log of its own' : `belongs to the log ${known} in Kafka`
  const asked = wanted === undefined ? 'no Kafka is configured' : `this is the log ${wanted}`
  throw new LogError(
    'CORRUPT',
    `the data directory ${path} ${belongs}, but ${asked}. If the topic was made anew, its old content is gone; ` +
      'to start without what lies here, use another directory.',
  )
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined
    throw error
  }
}

function makePrivateDirectory(path: string): void {
  const made = mkdirSync(path, { recursive: true, mode: 0o700 })
  if (made !== undefined) {
    // The umask can only have taken bits away; parents that were made on the way are private as well.
    chmodSync(path, 0o700)
    syncDirectory(dirname(made))
  }
}

function readIdentity(path: string): Identity | undefined {
  const file = join(path, META)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) {
      refuseIfInUse(path)
      return undefined
    }
    throw error
  }
  return parseIdentity(file, text)
}

function parseIdentity(file: string, text: string): Identity {
  let meta: Partial<Record<string, unknown>>
  try {
    meta = Object(JSON.parse(text)) as Partial<Record<string, unknown>>
  } catch (error) {
    throw new LogError('CORRUPT', `${file} is not JSON. Restore it from a backup.`, { cause: error })
  }
  const version = meta['formatVersion']
  if (typeof version === 'number' && version > FORMAT_VERSION) {
    const message = `${file} says format version ${version}, written by a newer release than this (${FORMAT_VERSION})`
    const advice = 'Nothing was changed. Start the newer release, or restore a backup from before.'
    throw new LogError('CORRUPT', `${message}. ${advice}`)
  }
  const [logId, clusterId, memberId] = [meta['logId'], meta['clusterId'], meta['memberId']]
  if (version !== FORMAT_VERSION || !isHex(logId, LOG_ID_BYTES) || !isHex(clusterId, 8) || !isHex(memberId, 8)) {
    const lacking = 'formatVersion, logId, clusterId or memberId'
    throw new LogError('CORRUPT', `${file} lacks ${lacking}. Restore it from a backup.`)
  }
  return { logId: Buffer.from(logId, 'hex'), clusterId: BigInt(`0x${clusterId}`), memberId: BigInt(`0x${memberId}`) }
}

/** A log without its identity would be taken for a new one, and a mistyped path should not get files strewn about. */
function refuseIfInUse(path: string): void {
  const strange = readdirSync(path).filter((name) => !/^(lock|lock\..*|meta\.json\.new|lost\+found)$/.test(name))
  if (strange.length > 0) {
    const message = `${path} is not empty (${strange.slice(0, 3).join(', ')}) and has no ${META}`
    throw new LogError(
      'CORRUPT',
      `${message}. Restore that file if it is a data directory, else use an empty directory.`,
    )
  }
}

function createIdentity(path: string): Identity {
  const identity = { logId: randomBytes(LOG_ID_BYTES), clusterId: random63(), memberId: random63() }
  const meta = {
    formatVersion: FORMAT_VERSION,
    logId: identity.logId.toString('hex'),
    clusterId: hex16(identity.clusterId),
    memberId: hex16(identity.memberId),
  }
  writeDurably(path, META, JSON.stringify(meta, undefined, 2))
  return identity
}

function writeDurably(directory: string, name: string, text: string): void {
  const draft = join(directory, `${name}.new`)
  rmSync(draft, { force: true })
  const fd = openSync(draft, 'wx', 0o600)
  try {
    writeSync(fd, `${text}\n`)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(draft, join(directory, name))
  syncDirectory(directory)
}

function random63(): bigint {
  const value = randomBytes(8).readBigUInt64BE() & 0x7fff_ffff_ffff_ffffn
  return value === 0n ? random63() : value
}

function hex16(value: bigint): string {
  return value.toString(16).padStart(16, '0')
}

function isHex(value: unknown, bytes: number): value is string {
  return typeof value === 'string' && value.length === 2 * bytes && /^[0-9a-f]*$/.test(value)
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
