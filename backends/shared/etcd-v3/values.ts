/** The key-value store, as far as it is read; commits.ts writes it. */
import type { IKeyValue } from 'etcd3'
import { type Entry, makeEntry, versionOf } from '../../../spi/index.ts'
import type { ReadCall, ScanPage, ScanRange } from '../driver.ts'
import type { Layout } from './layout.ts'
import type { Reader } from './reader.ts'

export class Values {
  readonly #layout: Layout
  readonly #reader: Reader

  constructor(layout: Layout, reader: Reader) {
    this.#layout = layout
    this.#reader = reader
  }

  async read(key: string, call: ReadCall): Promise<Entry | undefined> {
    const { kvs } = await this.#reader.range({ key: this.#layout.value(key) }, call)
    return kvs[0] === undefined ? undefined : this.entry(kvs[0])
  }

  async scan({ from, to, limit, keysOnly, at }: ScanRange, call: ReadCall): Promise<ScanPage> {
    const range = { ...this.#layout.values(from, to), limit, keys_only: keysOnly }
    if (at === undefined) {
      const { kvs, more, header } = await this.#reader.range(range, call)
      return { entries: kvs.map((kv) => this.entry(kv)), more, at: header.revision }
    }
    // a server that lags would refuse the revision
    const sure = { ...call, consistency: 'linearizable' } as const
    const { kvs, more } = await this.#reader.range({ ...range, revision: at }, sure)
    return { entries: kvs.map((kv) => this.entry(kv)), more, at }
  }

  entry({ key, value, mod_revision }: Pick<IKeyValue, 'key' | 'value' | 'mod_revision'>): Entry {
    return makeEntry(this.#layout.keyOf(key), value, versionOf(mod_revision))
  }
}
