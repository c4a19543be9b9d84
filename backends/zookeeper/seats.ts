/** Seats: an ephemeral znode each, of its holder's session; the token is the transaction that created it. */
import type { FencingToken } from '../../spi/index.ts'
import type { Call, Holder, ReadCall, Seat, Seated, SeatStore } from '../shared/driver.ts'
import { decodeHolder, encodeHolder } from '../shared/records.ts'
import { again, MOVED, type Pace } from './again.ts'
import { BACKEND, errorOf } from './connection/errors.ts'
import type { Furniture } from './furniture.ts'
import { type Layout, unescape } from './layout.ts'
import { ANY_VERSION, ERR, MODE } from './protocol/codes.ts'
import { check, create, type Look, multiRead, type Part, remove, setData } from './protocol/multi.ts'
import { getData, type Node } from './protocol/operations.ts'
import { found, lookAt, nodeOf, type Reads, transact } from './reads.ts'
import type { Sessions } from './sessions.ts'

export interface SeatsOptions {
  readonly pace: Pace
  readonly layout: Layout
  readonly sessions: Sessions
  readonly reads: Reads
  readonly furniture: Furniture
}

/** What bumps a guard. */
const NOTHING = Buffer.alloc(0)

export class Seats implements SeatStore {
  readonly #options: SeatsOptions

  constructor(options: SeatsOptions) {
    this.#options = options
  }

  takeSeat(seat: Seat, holder: Holder, call: Call): Promise<Seated> {
    const { pace, layout, sessions, furniture } = this.#options
    const path = layout.seat(seat)
    const taking = [
      create(path, encodeHolder(holder), furniture.acl, MODE.EPHEMERAL),
      setData(layout.guardOf(path), NOTHING, ANY_VERSION),
    ]
    return again(pace, call, async (limits) => {
      const client = sessions.clientOf(holder.session)
      const outcome = await transact(client, taking, limits)
      if (outcome.done) return { ...holder, token: outcome.stats[0]?.czxid ?? 0n }
      if (outcome.error === ERR.NO_NODE) {
        await furniture.make(seat.kind === 'member' ? [layout.group(seat.group)] : [], limits)
        return MOVED
      }
      // the refusal has been agreed on too, and this server has seen it
      const there = found(await client.send(getData(path), limits))
      return there === undefined ? MOVED : this.seated(path, there)
    })
  }

  async amendSeat(seat: Seat, token: FencingToken, data: Uint8Array, call: Call): Promise<boolean> {
    return this.#change(seat, token, call, (path, node) =>
      setData(path, encodeHolder({ ...this.seated(path, node), data }), node.stat.version),
    )
  }

  async emptySeat(seat: Seat, token: FencingToken, call: Call): Promise<void> {
    await this.#change(seat, token, call, (path, node) => remove(path, node.stat.version))
  }

  async readSeat(seat: Seat, call: ReadCall): Promise<Seated | undefined> {
    const path = this.#options.layout.seat(seat)
    const node = found(await this.#options.reads.read(getData(path), call))
    return node && this.seated(path, node)
  }

  async readGroup(group: string, call: ReadCall): Promise<ReadonlyMap<string, Seated>> {
    const path = this.#options.layout.group(group)
    const first = await this.#options.reads.read(multiRead([{ children: path }]), call)
    return again(this.#options.pace, call, (limits) => this.#members(path, namesIn(found(first)?.[0]), limits))
  }

  /** Who is known to have been there, if that are still all: at one moment. */
  async #members(
    path: string,
    known: readonly string[],
    call: Call,
  ): Promise<ReadonlyMap<string, Seated> | typeof MOVED> {
    for (let names = known; ; ) {
      const looks: Look[] = [{ children: path }, ...names.map((name) => ({ data: `${path}/${name}` }))]
      const [children, ...nodes] = found(await this.#options.reads.ask(multiRead(looks), call)) ?? []
      const present = new Set(namesIn(children))
      if (names.every((name) => present.delete(name)) && present.size === 0) {
        return new Map(names.flatMap((name, at) => this.#memberOf(path, name, nodeOf(nodes[at]))))
      }
      names = namesIn(children)
    }
  }

  #memberOf(groupPath: string, name: string, node: Node | undefined): readonly (readonly [string, Seated])[] {
    return node === undefined ? [] : [[unescape(name), this.seated(`${groupPath}/${name}`, node)]]
  }

  /** Only of that incarnation; false: it is not there any more. */
  #change(seat: Seat, token: FencingToken, call: Call, part: (path: string, node: Node) => Part): Promise<boolean> {
    const { pace, layout, reads, furniture } = this.#options
    const path = layout.seat(seat)
    const guard = layout.guardOf(path)
    return again(pace, call, async (limits, count) => {
      // what this server shows may be old; only a first look may be
      if (count > 1) await reads.barrier(limits)
      const [guarded, there] = found(await reads.ask(lookAt([guard, path]), limits)) ?? []
      const [guardNode, node] = [nodeOf(guarded), nodeOf(there)]
      if (guardNode === undefined) {
        await furniture.make([], limits)
        return MOVED
      }
      if (node?.stat.czxid !== token) return count > 1 ? false : MOVED
      const parts = [check(guard, guardNode.stat.version), part(path, node)]
      const outcome = await transact(reads.client, parts, limits)
      return outcome.done ? true : MOVED
    })
  }

  /** Who is in a seat. @throws CoordinationError CORRUPTED */
  seated(path: string, { data, stat }: Node): Seated {
    const holder = decodeHolder(data ?? NOTHING, { key: path, backend: BACKEND })
    return { ...holder, token: stat.czxid }
  }
}

function namesIn(seen: unknown): readonly string[] {
  if (typeof seen === 'number') {
    const thrown = errorOf(seen)
    if (thrown !== undefined) throw thrown
  }
  return Array.isArray(seen) ? (seen as readonly string[]) : []
}
