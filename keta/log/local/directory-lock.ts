/**
 * The lock of a data directory: one process at a time, taken over from a dead one without a race.
 *
 * A claim is a small file {id, pid, start}. It is written under a name of its own and then linked, which fails if the
 * target is there: so a claim appears whole, and at most one process gets a name. The file `lock` is the first claim;
 * `lock.after-<id>` is the claim of the process that took over from the dead holder of claim <id>. THE HOLDER IS THE
 * LAST OF THIS CHAIN. Ids are never used twice, hence a claim has at most one successor in the chain, ever. The holder
 * then makes its claim the first one by renaming it over `lock`, and removes the links behind. A process that read the
 * chain before that, and linked itself behind a claim which has left it, finds itself outside and starts over.
 *
 * Two containers with process namespaces of their own cannot judge each other's claims: to each, the other looks dead.
 * Do not mount one data directory into two.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { LogError } from '../log.ts'
import { diskFailure, isSystemError } from './disk-failure.ts'
import type { ProcessIdentity } from './process-identity.ts'
import { isRunning, ownIdentity } from './process-identity.ts'

export interface DirectoryLock {
  /** Idempotent. */
  release(): void
}

interface Claim extends ProcessIdentity {
  readonly id: string
  /** ISO 8601, for people. */
  readonly since: string
}

const LOCK = 'lock'
const AFTER = 'lock.after-'
const DRAFT = 'lock.draft-'
/** Every further attempt means that another process made progress; more than a few in a row is no coincidence. */
const ATTEMPTS = 100

/**
 * @throws LogError 'LOCKED' naming the process that holds it; 'CORRUPT' for an unreadable lock file; 'NO_SPACE', 'IO'.
 */
export function lockDirectory(directory: string): DirectoryLock {
  const claim: Claim = { id: randomUUID(), ...ownIdentity(), since: new Date().toISOString() }
  const draft = join(directory, DRAFT + claim.id)
  try {
    writeDurably(draft, JSON.stringify(claim))
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (tryToHold(directory, claim, draft)) {
        return { release: releaseOnce(directory, claim) }
      }
    }
    throw new LogError('LOCKED', `${directory} changed hands ${ATTEMPTS} times while this process tried to lock it`)
  } catch (error) {
    throw diskFailure(error, `locking ${directory}`)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Whether the directory is ours now; false: the chain changed meanwhile, try again. */
function tryToHold(directory: string, claim: Claim, draft: string): boolean {
  const before = lastOfChain(directory)
  if (before !== undefined && isRunning(before)) {
    throw heldBy(directory, before)
  }
  const place = join(directory, before === undefined ? LOCK : AFTER + before.id)
  if (!linkUnlessThere(draft, place)) {
    return false
  }
  if (lastOfChain(directory)?.id !== claim.id) {
    if (before === undefined) {
      throw new Error(`${place} was created with claim ${claim.id} by a running process, yet does not hold`)
    }
    // Behind a claim that has left the chain, where nobody looks any more.
    rmSync(place, { force: true })
    return false
  }
  renameSync(draft, join(directory, LOCK))
  removeLeftovers(directory)
  return true
}

/** What processes left behind that died while they were locking. The chain itself is now `lock` alone. */
function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    const draft = name.startsWith(DRAFT) ? readClaim(path) : undefined
    if (name.startsWith(AFTER) || (draft !== undefined && !isRunning(draft))) {
      rmSync(path, { force: true })
    }
  }
}

function lastOfChain(directory: string): Claim | undefined {
  let last: Claim | undefined
  let next = readClaim(join(directory, LOCK))
  while (next !== undefined) {
    last = next
    next = readClaim(join(directory, AFTER + last.id))
  }
  return last
}

function releaseOnce(directory: string, { id }: Claim): () => void {
  let held = true
  return () => {
    if (held && readClaim(join(directory, LOCK))?.id === id) {
      rmSync(join(directory, LOCK))
    }
    held = false
  }
}

function writeDurably(path: string, text: string): void {
  const fd = openSync(path, 'wx', 0o600)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function linkUnlessThere(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) {
      return false
    }
    throw error
  }
}

function readClaim(path: string): Claim | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) {
      return undefined
    }
    throw error
  }
  const claim = parseClaim(text)
  if (claim === undefined && !path.includes(DRAFT)) {
    const advice = 'If no other process uses the directory, delete this file.'
    throw new LogError('CORRUPT', `${path} is not a lock file that this program writes. ${advice}`)
  }
  return claim
}

function parseClaim(text: string): Claim | undefined {
  try {
    const { id, pid, start, since } = Object(JSON.parse(text)) as Partial<Claim>
    const complete = id !== undefined && pid !== undefined && start !== undefined && since !== undefined
    return complete ? { id, pid, start, since } : undefined
  } catch (error) {
    if (error instanceof SyntaxError) {
      return undefined
    }
    throw error
  }
}

function heldBy(directory: string, { pid, since }: Claim): LogError {
  const holder = `process ${pid}, which locked it at ${since}`
  const message = `${directory} is in use by ${holder}. Stop that process or use another data directory.`
  return new LogError('LOCKED', message)
}
