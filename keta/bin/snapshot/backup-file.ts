/** A backup in a file (state/backup.ts): receiving one, and reading it again. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { SnapshotRequestSchema, SnapshotResponseSchema } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import {
  BACKUP_BLOCK_BYTES,
  BACKUP_FORMAT_VERSION,
  BACKUP_HEAD_BYTES,
  BACKUP_MAGIC,
  DIGEST_BYTES,
  LENGTH_BYTES,
} from '../../state/backup.ts'
import { SnapshotLoader } from '../../state/snapshot.ts'
import type { StateMachine } from '../../state/state-machine.ts'
import { receive, type RemoteServer } from '../../transport/grpc-js/receive.ts'

const SNAPSHOT = '/etcdserverpb.Maintenance/Snapshot'
const UNFINISHED_SUFFIX = '.part'

/** The file is not a backup, or not whole. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
}

/**
 * Writes a backup of the server to the file, which appears when it is whole and on the disk. An older file of that name
 * is replaced.
 * @returns its size in bytes. @throws RpcError, BackupError, the operating system's error
 */
export async function saveBackup(server: RemoteServer, path: string): Promise<number> {
  const unfinished = path + UNFINISHED_SUFFIX
  const file = await open(unfinished, 'w', 0o600)
  try {
    const size = await receiveInto(file, server)
    await file.sync()
    await file.close()
    await checkDigest(unfinished)
    await rename(unfinished, path)
    return size
  } catch (error) {
    await file.close()
    await rm(unfinished, { force: true })
    throw error
  }
}

async function receiveInto(file: FileHandle, server: RemoteServer): Promise<number> {
  const request = toBinary(SnapshotRequestSchema, create(SnapshotRequestSchema))
  let size = 0
  for await (const message of receive(server, SNAPSHOT, request)) {
    const { blob } = fromBinary(SnapshotResponseSchema, message)
    await file.write(blob)
    size += blob.length
  }
  return size
}

export interface Backup {
  readonly state: StateMachine
  /** The chunks of the dump. */
  chunks(): AsyncGenerator<Uint8Array>
  readonly sizeBytes: number
}

/** Reads and checks all of it. @throws BackupError, SnapshotError, the operating system's error */
export async function readBackup(path: string): Promise<Backup> {
  const sizeBytes = await checkDigest(path)
  const loader = new SnapshotLoader()
  for await (const chunk of chunksOf(path)) loader.add(chunk)
  return { state: loader.finish(), sizeBytes, chunks: () => chunksOf(path) }
}

/** @returns the size of the file. */
async function checkDigest(path: string): Promise<number> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const head = await part(file, path, 0, BACKUP_HEAD_BYTES)
    if (head.toString('latin1', 0, BACKUP_MAGIC.length) !== BACKUP_MAGIC) {
      throw new BackupError(`${path} is not a backup of Keta (etcd's own are not read)`)
    }
    if (head[BACKUP_MAGIC.length] !== BACKUP_FORMAT_VERSION) {
      throw new BackupError(
        `${path} is of format ${head[BACKUP_MAGIC.length]}, this release reads ${BACKUP_FORMAT_VERSION}`,
      )
    }
    if (size % BACKUP_BLOCK_BYTES !== DIGEST_BYTES) throw cutOff(path)
    const hash = createHash('sha256')
    for await (const bytes of createReadStream(path, { end: size - DIGEST_BYTES - 1 })) hash.update(bytes as Buffer)
    if (!hash.digest().equals(await part(file, path, size - DIGEST_BYTES, DIGEST_BYTES))) {
      throw new BackupError(`${path} is damaged: its SHA-256 does not hold`)
    }
    return size
  } finally {
    await file.close()
  }
}

async function* chunksOf(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r')
  try {
    for (let at = BACKUP_HEAD_BYTES; ; ) {
      const length = (await part(file, path, at, LENGTH_BYTES)).readUInt32LE()
      if (length === 0) return
      yield await part(file, path, at + LENGTH_BYTES, length)
      at += LENGTH_BYTES + length
    }
  } finally {
    await file.close()
  }
}

async function part(file: FileHandle, path: string, position: number, length: number): Promise<Buffer> {
  const { size } = await file.stat()
  if (position + length > size) throw cutOff(path)
  const bytes = Buffer.alloc(length)
  await file.read(bytes, 0, length, position)
  return bytes
}

function cutOff(path: string): BackupError {
  return new BackupError(`${path} is not whole: a backup was cut off`)
}
