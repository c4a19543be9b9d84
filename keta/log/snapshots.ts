/**
 * The snapshot port: where dumps of the state are kept, so that a start need not replay the log from its beginning.
 * A snapshot is an opaque sequence of chunks plus the offset up to which the log is contained in it.
 */
export interface SnapshotInfo {
  /** The state contains every record up to and including this offset. */
  readonly offset: number
  readonly sizeBytes: number
}

export interface SnapshotStore {
  /**
   * Writes a snapshot so that it is either found whole later or not at all. The chunks are pulled one by one; between
   * them the event loop runs. Chunks of about 1 MiB are loaded fastest.
   * @throws LogError 'NO_SPACE' or 'IO', or what the source of the chunks throws; nothing is left behind then.
   */
  save(offset: number, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<SnapshotInfo>
  /** Usable snapshots, newest first. */
  list(): Promise<readonly SnapshotInfo[]>
  /** The chunks as they were saved. Each chunk is a buffer of its own that the caller may keep.
   * @throws LogError 'CORRUPT' when a checksum does not hold (the caller then tries the next older one). */
  load(snapshot: SnapshotInfo): AsyncIterable<Uint8Array>
  /** Deletes all but the `keep` newest. */
  prune(keep: number): Promise<void>
}
