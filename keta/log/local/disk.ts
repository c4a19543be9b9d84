/**
 * The disk port: the few file operations that the local log and the snapshot files need, so that tests can put a disk
 * beneath them that loses, tears and refuses (`faulty-disk.fixture.ts`). The real one is `real-disk.ts`.
 *
 * All methods reject or throw with a Node system error (`code` is 'ENOSPC', 'EIO', …).
 */

/** 'read': must exist. 'write': must exist, read and write. 'create': must not exist, read and write. */
export type OpenMode = 'read' | 'write' | 'create'

export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>
  /** Names in the directory, in no particular order. */
  list(directory: string): Promise<readonly string[]>
  /** Creates the directory, mode 0700, unless it is there. */
  makeDirectory(path: string): Promise<void>
  /** Replaces `to` if it is there. */
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Makes the directory's entries durable: files created, renamed and unlinked in it. */
  syncDirectory(path: string): Promise<void>
}

export interface DiskFile {
  readonly path: string
  size(): Promise<number>
  /** Fills `into` from `position` on as far as it can; returns the bytes read, 0 at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>
  /** Returns the bytes written, which may be fewer than given. */
  write(bytes: Uint8Array, position: number): Promise<number>
  /** As `write`, on the calling thread: for small writes cheaper than the way through the thread pool. */
  writeNow(bytes: Uint8Array, position: number): number
  /** Makes content and size durable (fdatasync). Never call it again after it failed: what was lost stays lost. */
  datasync(): Promise<void>
  /** As `datasync`, on the calling thread (see syncer.ts). */
  datasyncNow(): void
  truncate(size: number): Promise<void>
  close(): Promise<void>
}

/**
 * Below this size a write goes to the page cache on the calling thread. Measured (ext4, NVMe): 16 KiB takes 8 µs,
 * 64 KiB 19 µs and 1.5 MiB up to 4 ms of the event loop; the thread pool costs some 30 µs.
 */
const WRITE_NOW_BYTES = 64 * 1024

/** Writes all of `bytes`, however short the single writes turn out. */
export async function writeFully(file: DiskFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const rest = done === 0 ? bytes : bytes.subarray(done)
    const now = rest.length <= WRITE_NOW_BYTES
    done += now ? file.writeNow(rest, position + done) : await file.write(rest, position + done)
  }
}

/** Fills `into` from `position` on, or up to the end of the file; returns the bytes read. */
export async function readFully(file: DiskFile, into: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const read = await file.read(done === 0 ? into : into.subarray(done), position + done)
    if (read === 0) {
      break
    }
    done += read
  }
  return done
}

/** The whole file in one buffer. */
export async function readWhole(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, 'read')
  try {
    const bytes = new Uint8Array(await file.size())
    return bytes.subarray(0, await readFully(file, bytes, 0))
  } finally {
    await file.close()
  }
}
