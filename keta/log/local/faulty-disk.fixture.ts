/**
 * A disk in memory for tests, which fails the way disks do: at a crash it loses what was not synced, wholly or torn at
 * any byte or page by page in any order; directory entries that were not synced come and go one by one; it runs full,
 * writes less than asked, and fails a sync and has then forgotten the data (as Linux does) although reads show it.
 */
import type { Disk, DiskFile, OpenMode } from './disk.ts'

/** What a disk writes as a whole: sectors, or the pages of the cache. */
const SECTOR_BYTES = 512
const UNITS = [SECTOR_BYTES, 4096]

/** A whole number from 0 up to, not including, `bound`. */
export type Choose = (bound: number) => number

interface Write {
  readonly position: number
  readonly bytes: Buffer
}

/** What happened to a file since its last sync: a write, or a truncation to a size. */
type Change = Write | { readonly size: number }

interface Content {
  /** As reads see it: the page cache. */
  current: Buffer
  durable: Buffer
  unsynced: Change[]
}

type Entries = Map<string, Content>
type EntryChange = (entries: Entries) => void

export class FaultyDisk implements Disk {
  #entries: Entries = new Map()
  #durableEntries: Entries = new Map()
  #unsyncedEntries: EntryChange[] = []
  #generation = 0
  #dead = false
  readonly #choose: Choose

  /** Bytes that files may still grow by; then writes fail with ENOSPC, having written what fitted. */
  freeBytes = Number.POSITIVE_INFINITY
  /** Whether a write may take fewer bytes than it was given. */
  shortWrites = false
  /** How many syncs of files succeed before one fails with EIO. */
  syncsUntilFailure = Number.POSITIVE_INFINITY
  /** How many changing operations succeed before the process dies: then all fail until `crash` or `kill`. */
  changesUntilDeath = Number.POSITIVE_INFINITY

  constructor(choose: Choose) {
    this.#choose = choose
  }

  /** Power fails: handles are dead, and what was not synced survives by chance. */
  crash(): void {
    this.kill()
    const entries = new Map(this.#durableEntries)
    for (const change of this.#unsyncedEntries) {
      if (this.#choose(2) === 0) {
        change(entries)
      }
    }
    for (const content of new Set(entries.values())) {
      content.durable = this.#survivorOf(content)
      content.current = Buffer.from(content.durable)
      content.unsynced = []
    }
    this.#entries = entries
    this.#durableEntries = new Map(entries)
    this.#unsyncedEntries = []
  }

  /** The process is killed: handles are dead, but the page cache survives. */
  kill(): void {
    this.#generation++
    this.#dead = false
    this.changesUntilDeath = Number.POSITIVE_INFINITY
    this.syncsUntilFailure = Number.POSITIVE_INFINITY
  }

  /** A copy of all files as reads see them, by path. */
  files(): Map<string, Buffer> {
    return new Map([...this.#entries].map(([path, { current }]) => [path, Buffer.from(current)]))
  }

  /** Puts a durable file there, or in the place of the one that is. */
  place(path: string, bytes: Uint8Array): void {
    const content: Content = { current: Buffer.from(bytes), durable: Buffer.from(bytes), unsynced: [] }
    this.#entries.set(path, content)
    this.#durableEntries.set(path, content)
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    if (mode === 'create') {
      this.#countChange()
      if (this.#entries.has(path)) {
        throw systemError('EEXIST', path)
      }
      const content: Content = { current: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: [] }
      this.#changeEntries((entries) => entries.set(path, content))
    }
    return this.#handle(path, this.#contentOf(path), this.#generation)
  }

  async list(directory: string): Promise<readonly string[]> {
    const prefix = `${directory}/`
    return [...this.#entries.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length))
  }

  async makeDirectory(): Promise<void> {
    // Directories exist as soon as something is in them.
  }

  async rename(from: string, to: string): Promise<void> {
    this.#countChange()
    const content = this.#contentOf(from)
    this.#changeEntries((entries) => {
      entries.set(to, content)
      entries.delete(from)
    })
  }

  async unlink(path: string): Promise<void> {
    this.#countChange()
    this.#contentOf(path)
    this.#changeEntries((entries) => entries.delete(path))
  }

  async syncDirectory(): Promise<void> {
    this.#countChange()
    this.#durableEntries = new Map(this.#entries)
    this.#unsyncedEntries = []
  }

  #countChange(): void {
    this.#dead ||= this.changesUntilDeath === 0
    if (this.#dead) {
      throw systemError('EBADF', 'the process is dead')
    }
    this.changesUntilDeath--
  }

  #contentOf(path: string): Content {
    const content = this.#entries.get(path)
    if (content === undefined) {
      throw systemError('ENOENT', path)
    }
    return content
  }

  #changeEntries(change: EntryChange): void {
    change(this.#entries)
    this.#unsyncedEntries.push(change)
  }

  #handle(path: string, content: Content, generation: number): DiskFile {
    const alive = (): void => {
      if (generation !== this.#generation) {
        throw systemError('EBADF', path)
      }
    }
    const change = (): void => {
      alive()
      this.#countChange()
    }
    const write = (bytes: Uint8Array, position: number): number => {
      change()
      return this.#write(path, content, bytes, position)
    }
    const datasync = (): void => {
      change()
      this.#sync(path, content)
    }
    return {
      path,
      size: async () => content.current.length,
      read: async (into, position) => {
        alive()
        return content.current.copy(into, 0, position, position + into.length)
      },
      write: async (bytes, position) => write(bytes, position),
      writeNow: write,
      datasync: async () => {
        datasync()
      },
      datasyncNow: datasync,
      truncate: async (size) => {
        change()
        content.unsynced.push({ size })
        content.current = applied(content.current, { size })
      },
      close: async () => undefined,
    }
  }

  #write(path: string, content: Content, bytes: Uint8Array, position: number): number {
    const room = Math.max(0, content.current.length - position) + this.freeBytes
    let taken = Math.min(bytes.length, room)
    if (taken === 0 && bytes.length > 0) {
      throw systemError('ENOSPC', path)
    }
    if (this.shortWrites && taken > 1) {
      taken = shortened(1 + this.#choose(taken), taken, position, content.current.length)
    }
    const change: Write = { position, bytes: Buffer.from(bytes.subarray(0, taken)) }
    this.freeBytes -= Math.max(0, position + taken - content.current.length)
    content.unsynced.push(change)
    content.current = applied(content.current, change)
    return taken
  }

  #sync(path: string, content: Content): void {
    if (this.syncsUntilFailure === 0) {
      content.unsynced = []
      this.syncsUntilFailure = Number.POSITIVE_INFINITY
      throw systemError('EIO', path)
    }
    this.syncsUntilFailure--
    for (const change of content.unsynced) {
      content.durable = applied(content.durable, change)
    }
    content.unsynced = []
  }

  /** The bytes of a file after a crash. */
  #survivorOf({ durable, unsynced }: Content): Buffer {
    const writes = unsynced.filter((change) => 'bytes' in change)
    const byPages = writes.length === unsynced.length && this.#choose(2) === 0
    return byPages ? this.#survivingPages(durable, writes) : this.#survivingPrefix(durable, unsynced)
  }

  /** The changes up to one of them, and of that one, if it is a write, the bytes up to some place. */
  #survivingPrefix(durable: Buffer, changes: readonly Change[]): Buffer {
    let content: Buffer = Buffer.from(durable)
    for (const change of changes) {
      if (this.#choose(2) === 0) {
        return 'bytes' in change ? applied(content, this.#tornWrite(change, content.length)) : content
      }
      content = applied(content, change)
    }
    return content
  }

  /** Up to any byte beyond the old end of the file; within it a disk replaces whole sectors. */
  #tornWrite(write: Write, oldSize: number): Write {
    const end = write.position + this.#choose(write.bytes.length + 1)
    const whole = end < oldSize ? end - (end % SECTOR_BYTES) : end
    return firstBytes(write, Math.max(0, whole - write.position))
  }

  /**
   * Some of the pages written, in no order: a page that is missing before one that is there reads as it was, or as
   * zeros.
   */
  #survivingPages(durable: Buffer, writes: readonly Write[]): Buffer {
    let whole: Buffer = Buffer.from(durable)
    for (const change of writes) {
      whole = applied(whole, change)
    }
    let content: Buffer = Buffer.from(durable)
    const unit = UNITS[this.#choose(UNITS.length)] ?? 1
    for (let from = 0; from < whole.length; from += unit) {
      if (this.#choose(2) === 0) {
        content = applied(content, { position: from, bytes: whole.subarray(from, from + unit) })
      }
    }
    // The new size, too, may have reached the disk before the pages did.
    return this.#choose(2) === 0 ? content : applied(content, { size: Math.max(content.length, whole.length) })
  }
}

/**
 * A write is cut short at any byte where the file grows (a full device), and between sectors where it does not (a
 * signal).
 */
function shortened(wished: number, whole: number, position: number, oldSize: number): number {
  const end = position + wished
  if (end >= oldSize) return wished
  const aligned = end - (end % SECTOR_BYTES) - position
  return aligned > 0 ? aligned : whole
}

function firstBytes({ position, bytes }: Write, count: number): Write {
  return { position, bytes: bytes.subarray(0, count) }
}

function applied(content: Buffer, change: Change): Buffer {
  const size = 'size' in change ? change.size : Math.max(content.length, change.position + change.bytes.length)
  const result = Buffer.alloc(size)
  content.copy(result, 0, 0, size)
  if ('bytes' in change) {
    result.set(change.bytes, change.position)
  }
  return result
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
