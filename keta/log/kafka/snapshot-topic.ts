/**
 * The snapshot store in a Kafka topic of two partitions, shared by the nodes of a cluster: notes about saves in one,
 * the chunks of all of them in the other. A snapshot is there when its manifest is, and its manifest is written after
 * it was read back. `snapshot-format.md` has the format.
 */
import { MalformedMessage } from '../../bytes/proto-reader.ts'
import type { KafkaClient } from '../../kafka/client/client.ts'
import type { Clock, Logger } from '../../kafka/client/ports.ts'
import { ensureTopic } from '../../kafka/topic.ts'
import { LogError } from '../log.ts'
import type { SnapshotInfo, SnapshotStore } from '../snapshots.ts'
import type { Bounds, CatalogueView, PlacedNote } from './snapshot-catalogue.ts'
import { foreignLogs, pruning, usableSnapshots } from './snapshot-catalogue.ts'
import { SnapshotPartition } from './snapshot-partition.ts'
import type { Finished } from './snapshot-records.ts'
import { BrokenSnapshot, chunksOf } from './snapshot-reader.ts'
import { decodeNote, encodeNote, NewerSnapshotFormat } from './snapshot-records.ts'
import { SnapshotWriter } from './snapshot-writer.ts'

export interface SnapshotTopicOptions {
  readonly client: KafkaClient
  readonly topic: string
  /** Copies of each record, if there are as many brokers; only for a topic that is created. */
  readonly replication: number
  /** Further settings of a topic that is created. */
  readonly configs: ReadonlyMap<string, string>
  /** Of the log whose state is kept: snapshots of other logs are neither listed nor pruned. */
  readonly logId: string
  readonly clock: Clock
  /** Milliseconds since 1970. It only tells which saves of other nodes are too old to be still under way. */
  readonly wallClock: () => number
  /** Cryptographically random bytes. */
  readonly random: (count: number) => Uint8Array
  readonly logger: Logger
  /** How long brokers may be in trouble before an operation fails, in milliseconds. Default 60 s. */
  readonly patienceMs?: number
}

const NOTES = 0
const PARTS = 1
const PATIENCE_MS = 60_000
/** A save that began longer ago, and was not finished, is not waited for. */
const SAVE_PATIENCE_MS = 10 * 60_000
const ID_BYTES = 16

/**
 * Creates the topic if there is none. The client remains its caller's.
 * @throws KafkaError as `ensureTopic`
 */
export async function openSnapshotTopic(options: SnapshotTopicOptions): Promise<SnapshotStore> {
  const { client, topic, patienceMs = PATIENCE_MS } = options
  const { maxMessageBytes } = await ensureTopic({ ...options, partitions: 2 })
  const topicId = (await client.topic(topic))?.id ?? ''
  const open = (partition: number): SnapshotPartition =>
    new SnapshotPartition({ ...options, topicId, partition, patienceMs })
  return new SnapshotTopic(options, { notes: open(NOTES), parts: open(PARTS), maxMessageBytes })
}

interface Partitions {
  readonly notes: SnapshotPartition
  readonly parts: SnapshotPartition
  readonly maxMessageBytes: number
}

interface Catalogue {
  readonly placed: readonly PlacedNote[]
  readonly view: CatalogueView
}

class SnapshotTopic implements SnapshotStore {
  readonly #options: SnapshotTopicOptions
  readonly #partitions: Partitions
  readonly #strangers = new Set<string>()

  constructor(options: SnapshotTopicOptions, partitions: Partitions) {
    this.#options = options
    this.#partitions = partitions
  }

  async save(offset: number, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<SnapshotInfo> {
    const { logId, random, wallClock } = this.#options
    const { notes, parts, maxMessageBytes } = this.#partitions
    const id = Buffer.from(random(ID_BYTES)).toString('hex')
    const { end: fromPart } = await parts.bounds()
    await notes.append([encodeNote({ kind: 'begun', id, logId, fromPart, startedAt: wallClock() })])
    try {
      const writer = new SnapshotWriter(id, parts, maxMessageBytes)
      for await (const chunk of chunks) await writer.add(chunk)
      const manifest: Finished = { kind: 'finished', id, logId, offset, ...(await writer.finish(fromPart)) }
      for await (const _chunk of this.#chunks(manifest));
      await notes.append([encodeNote(manifest)])
      return infoOf(manifest)
    } catch (error) {
      // What made it fail matters more than whether the note could be written: an old save is given up anyway.
      await Promise.allSettled([notes.append([encodeNote({ kind: 'removed', ids: [id] })])])
      throw error
    }
  }

  async list(): Promise<readonly SnapshotInfo[]> {
    const { placed, view } = await this.#catalogue()
    return usableSnapshots(placed, view).map(infoOf)
  }

  async *load({ offset }: SnapshotInfo): AsyncGenerator<Uint8Array> {
    const { placed, view } = await this.#catalogue()
    const manifest = usableSnapshots(placed, view).find((found) => found.offset === offset)
    if (manifest === undefined) throw this.#corrupt(offset, 'it is not there, or not any more')
    yield* this.#chunks(manifest)
  }

  async prune(keep: number): Promise<void> {
    const { placed, view } = await this.#catalogue()
    const { notes, parts } = this.#partitions
    const { removed, partsBefore, notesBefore } = pruning(placed, keep, view)
    // First of all nobody may begin to load what is about to go.
    if (removed.length > 0) await notes.append([encodeNote({ kind: 'removed', ids: removed })])
    if (partsBefore > view.parts.start) await parts.dropBefore(partsBefore)
    if (notesBefore > view.notes.start) await notes.dropBefore(notesBefore)
  }

  async *#chunks(manifest: Finished): AsyncGenerator<Uint8Array> {
    const { fromPart, endPart, offset } = manifest
    try {
      yield* chunksOf(manifest, this.#partitions.parts.read({ start: fromPart, end: endPart }))
    } catch (error) {
      throw error instanceof BrokenSnapshot ? this.#corrupt(offset, error.message) : error
    }
  }

  async #catalogue(): Promise<Catalogue> {
    const { logId, wallClock, logger, topic } = this.#options
    // In this order: see CatalogueView.
    const parts = await this.#partitions.parts.bounds()
    const notes = await this.#partitions.notes.bounds()
    const placed = await this.#notes(notes)
    const view = { logId, parts, notes, now: wallClock(), patienceMs: SAVE_PATIENCE_MS }
    for (const stranger of foreignLogs(placed, view)) {
      if (this.#strangers.has(stranger)) continue
      this.#strangers.add(stranger)
      logger.warn(`topic ${topic} holds snapshots of another log, which are left alone`, { log: stranger })
    }
    return { placed, view }
  }

  async #notes(bounds: Bounds): Promise<readonly PlacedNote[]> {
    const { topic } = this.#options
    const placed: PlacedNote[] = []
    for await (const values of this.#partitions.notes.read(bounds)) {
      for (const { offset, bytes } of values) {
        try {
          const note = decodeNote(bytes)
          if (note !== undefined) placed.push({ at: offset, note })
        } catch (error) {
          if (error instanceof NewerSnapshotFormat) {
            throw new LogError('REFUSED', `topic ${topic}: ${error.message}`, { cause: error })
          }
          // Somebody else's record says nothing about a snapshot.
          if (!(error instanceof MalformedMessage)) throw error
        }
      }
    }
    return placed
  }

  #corrupt(offset: number, reason: string): LogError {
    const place = `the snapshot of offset ${offset} in topic ${this.#options.topic}`
    return new LogError('CORRUPT', `${place} cannot be used: ${reason}. An older one serves as well.`)
  }
}

function infoOf({ offset, sizeBytes }: Finished): SnapshotInfo {
  return { offset, sizeBytes }
}
