/** Every adapter of the port `ValueStore`, for the tests that all of them must pass. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase } from '../backing/lmdb/database.ts'
import { restoreStore } from '../backing/lmdb/lmdb-backing.ts'
import { LmdbValues } from '../backing/lmdb/lmdb-values.ts'
import { Pending } from '../backing/lmdb/pending.ts'
import { ZERO_HASH } from '../bytes/hash64.ts'
import { MemoryValues } from './memory-values.ts'
import type { MvccStore } from './store.ts'
import type { ValueStore } from './value-store.ts'

export interface ValueStores {
  /** A new and empty one. The one before may be used until the next call, an older one not. */
  fresh(): Promise<ValueStore>
  /** Moves the values of the newest one to where they are to stay. */
  settle(): Promise<void>
  /** What a new process makes of what is stored of `store`, which must not be used afterwards. */
  restart(store: MvccStore): Promise<MvccStore>
  close(): Promise<void>
}

export interface ValueStoreAdapter {
  readonly name: string
  /** How many runs of a random test are affordable. */
  readonly runs: number
  open(): Promise<ValueStores>
}

const memory: ValueStoreAdapter = {
  name: 'memory',
  runs: 500,
  open: async () => ({
    fresh: async () => new MemoryValues(512),
    settle: async () => undefined,
    restart: async (store) => store,
    close: async () => undefined,
  }),
}

const lmdb: ValueStoreAdapter = {
  name: 'lmdb',
  runs: 60,
  open: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'keta-values-'))
    const databases = await Promise.all(['a', 'b'].map((name) => openDatabase(join(directory, name))))
    const inUse: (LmdbValues | undefined)[] = [undefined, undefined]
    let newest = 0
    const start = (): LmdbValues => {
      const values = openValues(databases[newest]!)
      inUse[newest] = values
      return values
    }
    return {
      fresh: async () => {
        newest = 1 - newest
        await inUse[newest]?.stop()
        await databases[newest]!.clear()
        return start()
      },
      settle: async () => inUse[newest]!.flush(),
      restart: async (store) => {
        await inUse[newest]!.flush()
        await inUse[newest]!.stop()
        const { revision, compactRevision } = store
        const position = { offset: 0, epoch: 0, owner: '', seq: 0, hash: ZERO_HASH, digest: 0 }
        const header = { position, claimer: undefined, featureLevel: 0, revision, leases: [], alarms: [] }
        return restoreStore(databases[newest]!, start(), { header, compactRevision })
      },
      close: async () => {
        for (const values of inUse) await values?.stop()
        for (const database of databases) await database.close()
        rmSync(directory, { recursive: true })
      },
    }
  },
}

export const VALUE_STORES: readonly ValueStoreAdapter[] = [memory, lmdb]

/** As while a snapshot is loaded: what is written belongs to no record of a log and may be committed at any time. */
function openValues(database: Database): LmdbValues {
  const onFailure = (error: Error): never => {
    throw error
  }
  const values = new LmdbValues({ database, durableOffset: -1, pending: new Pending(0, []), onFailure })
  values.beginLoading()
  return values
}
