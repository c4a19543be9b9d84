/** The table `store` in memory, for tests of what reads and writes it; its answers can be lost, and come late. */
import { CoordinationError } from '../../spi/index.ts'
import { type Kind, type Place, placeText, type Slice } from './layout.ts'
import type { Content, Row } from './row.ts'
import type { Rows, SliceRows, Tables } from './tables.ts'

type Writes = readonly { readonly place: Place; readonly become: Content | undefined }[]

const SMALL: ReadonlySet<Kind> = new Set(['leader', 'mark', 'member', 'session'])

export class FakeTables implements Pick<Tables, 'places' | 'slice' | 'small' | 'write'> {
  revision = 0n
  readonly rows = new Map<string, Row>()
  /** Revisions at which something was tried to write. */
  readonly tried: bigint[] = []
  reads = 0
  /** Called after each read: what others do meanwhile. */
  afterRead: () => void = () => undefined
  /** What becomes of the next write; the default: it is answered. */
  next: 'answered' | 'reply lost' | 'late' = 'answered'
  /** A write that has not arrived yet. */
  arrive: () => boolean = () => false

  async places(places: readonly Place[]): Promise<Rows> {
    const rows = places.flatMap((place) => this.rows.get(placeText(place)) ?? [])
    return this.#answer({ revision: this.revision, rows })
  }

  async slice({ kind, from, to }: Slice, { limit }: { readonly limit: number }): Promise<SliceRows> {
    const rows = [...this.rows.values()]
      .filter((row) => row.kind === kind && row.name >= from && row.name < to)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .slice(0, limit)
    return this.#answer({ revision: rows.length === 0 ? undefined : this.revision, rows })
  }

  async small(): Promise<Rows> {
    const rows = [...this.rows.values()].filter(({ kind }) => SMALL.has(kind))
    return this.#answer({ revision: this.revision, rows })
  }

  async write(revision: bigint, contents: Iterable<Writes[number]>): Promise<boolean> {
    const writes = [...contents]
    this.tried.push(revision)
    const fate = this.next
    this.next = 'answered'
    if (fate === 'answered') return this.apply(revision, writes)
    if (fate === 'late') this.arrive = () => this.apply(revision, writes)
    else this.apply(revision, writes)
    throw new CoordinationError('TIMEOUT', 'no answer', { backend: 'cassandra' })
  }

  /** As another client does it. */
  apply(revision: bigint, writes: Writes): boolean {
    if (revision !== this.revision) return false
    this.revision++
    for (const { place, become } of writes) {
      if (become === undefined) this.rows.delete(placeText(place))
      else this.rows.set(placeText(place), { ...place, ...become, at: this.revision })
    }
    return true
  }

  #answer<Answer extends Rows | SliceRows>(rows: Answer): Answer {
    this.reads++
    this.afterRead()
    return rows
  }
}
