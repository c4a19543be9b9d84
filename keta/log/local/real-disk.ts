/** The disk port on the file system of this machine. */
import * as fs from 'node:fs'
import * as fsp from 'node:fs/promises'
import type { Disk, DiskFile, OpenMode } from './disk.ts'

const FLAGS: Readonly<Record<OpenMode, string>> = { read: 'r', write: 'r+', create: 'wx+' }
const PRIVATE_FILE = 0o600
const PRIVATE_DIRECTORY = 0o700

export const realDisk: Disk = {
  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new RealFile(path, await openDescriptor(path, FLAGS[mode]))
  },
  list: (directory) => fsp.readdir(directory),
  async makeDirectory(path) {
    await fsp.mkdir(path, { recursive: true, mode: PRIVATE_DIRECTORY })
  },
  rename: (from, to) => fsp.rename(from, to),
  unlink: (path) => fsp.unlink(path),
  async syncDirectory(path) {
    const directory = await fsp.open(path, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  },
}

/** Callback-style calls on a bare descriptor: the append path pays for one promise and no FileHandle bookkeeping. */
class RealFile implements DiskFile {
  readonly path: string
  readonly #fd: number
  #closed: Promise<void> | undefined

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#fd, (error, stats) => (error === null ? resolve(stats.size) : reject(error)))
    })
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#fd, into, 0, into.length, position, (error, count) =>
        error === null ? resolve(count) : reject(error),
      )
    })
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.write(this.#fd, bytes, 0, bytes.length, position, (error, count) =>
        error === null ? resolve(count) : reject(error),
      )
    })
  }

  writeNow(bytes: Uint8Array, position: number): number {
    return fs.writeSync(this.#fd, bytes, 0, bytes.length, position)
  }

  datasync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  datasyncNow(): void {
    fs.fdatasyncSync(this.#fd)
  }

  truncate(size: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.ftruncate(this.#fd, size, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  /** Idempotent, because a second close of the same number could hit another file. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve, reject) => {
      fs.close(this.#fd, (error) => (error ? reject(error) : resolve()))
    })
    return this.#closed
  }
}

function openDescriptor(path: string, flags: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, flags, PRIVATE_FILE, (error, fd) => (error === null ? resolve(fd) : reject(error)))
  })
}
