/** A client that keeps keys alive by a lease, for a while. */
import { Client, type ClientParts } from './client.fixture.ts'
import { put } from './operations.fixture.ts'

export class LeaseHolder {
  readonly #client: Client
  readonly #name: string
  #leases = 0

  constructor(parts: ClientParts, name: string) {
    this.#client = new Client(parts, name)
    this.#name = name
  }

  start(): void {
    const { chance, parts } = this.#client
    parts.world.schedule(chance.between(0, 1_000), undefined, 'lease holder', () => {
      const held = this.#hold().then(() => this.start())
      held.catch((error: unknown) => parts.world.violate(`a lease holder failed: ${String(error)}`))
    })
  }

  async #hold(): Promise<void> {
    const client = this.#client
    const { chance, parts } = client
    const id = BigInt(chance.below(2 ** 30) + 1)
    const ttl = 1 + chance.below(4)
    const asked = parts.checks.invoke()
    const granted = await client.command({ kind: 'leaseGrant', id, ttl })
    if (granted.kind !== 'answer') {
      client.move()
      return
    }
    parts.checks.renewed(asked, id, ttl)
    await client.command(put(`l${this.#name}`, `${this.#name}.${++this.#leases}`, id))
    for (let renewals = chance.below(10); renewals > 0; renewals--) {
      await this.#wait(chance.between(0.1, 0.7) * ttl * 1000)
      const left = await client.renew(id)
      if (left === 0) return
      if (left === undefined) client.move()
    }
    if (chance.oneIn(2)) await client.command({ kind: 'leaseRevoke', id })
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#client.parts.world.schedule(ms, undefined, 'lease holder waits', resolve)
    })
  }
}
