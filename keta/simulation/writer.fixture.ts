/** A client that writes and reads a few keys. */
import type { Checks } from './checks.fixture.ts'
import { Client, type ClientParts } from './client.fixture.ts'
import type { Plan } from './plan.fixture.ts'
import { deletion, put, putIfUnchanged } from './operations.fixture.ts'

const KEYS = ['a', 'b', 'c', 'd']
const LISTS = ['x', 'y']
/** A list that is longer begins anew. */
const LIST_LENGTH = 12

type Action = 'put' | 'delete' | 'append' | 'read' | 'serializable' | 'compact' | 'move'

/** Of a hundred or so, beside the linearizable reads. */
const ACTIONS: readonly (readonly [number, Action])[] = [
  [35, 'put'],
  [8, 'delete'],
  [25, 'append'],
  [12, 'serializable'],
  [1, 'compact'],
  [4, 'move'],
]

export class Writer {
  readonly #client: Client
  readonly #checks: Checks
  readonly #name: string
  readonly #thinkMs: number
  readonly #actions: readonly (readonly [number, Action])[]
  #writes = 0

  constructor(parts: ClientParts, name: string, { thinkMs, reads }: Pick<Plan, 'thinkMs' | 'reads'>) {
    this.#client = new Client(parts, name)
    this.#checks = parts.checks
    this.#name = name
    this.#thinkMs = thinkMs
    this.#actions = [...ACTIONS, [Math.round(reads), 'read']]
  }

  start(): void {
    const { chance, parts } = this.#client
    parts.world.schedule(chance.between(0, 2 * this.#thinkMs), undefined, 'writer', () => {
      const acted = this.#act(chance.weighted(this.#actions)).then(() => this.start())
      acted.catch((error: unknown) => parts.world.violate(`a writer failed: ${String(error)}`))
    })
  }

  async #act(action: Action): Promise<void> {
    const client = this.#client
    const { chance } = client
    switch (action) {
      case 'put':
        await client.command(put(chance.pick(KEYS), this.#value()))
        return
      case 'delete':
        await client.command(deletion(chance.pick(KEYS)))
        return
      case 'append':
        await this.#append(chance.pick(LISTS))
        return
      case 'read':
      case 'serializable':
        await client.read(action === 'serializable')
        return
      case 'compact': {
        const seen = await client.read(true)
        if (seen !== undefined && seen.revision > 2) {
          await client.command({ kind: 'compact', revision: seen.revision - 1, physical: false })
        }
        return
      }
      case 'move':
        client.move()
    }
  }

  async #append(key: string): Promise<void> {
    const client = this.#client
    const seen = await client.read(client.chance.oneIn(3))
    if (seen === undefined) return
    const last = seen.values.get(key)
    const list = last?.value.split(',') ?? []
    const kept = list.length >= LIST_LENGTH ? [] : list
    const txn = putIfUnchanged(key, last?.modRevision ?? 0, [...kept, this.#value()].join())
    const ending = await client.command(txn)
    if (ending.kind !== 'answer') return
    this.#checks.appended(key, last?.modRevision ?? 0, ending.answer)
  }

  #value(): string {
    return `${this.#name}.${++this.#writes}`
  }
}
