/** The znodes that everything else stands in. */
import { isCoordinationError } from '../../spi/index.ts'
import type { Call } from '../shared/driver.ts'
import type { ZkClient } from './connection/client.ts'
import { errorOf } from './connection/errors.ts'
import type { Layout } from './layout.ts'
import { ERR, MODE } from './protocol/codes.ts'
import { type Acl, create } from './protocol/multi.ts'
import { exists, getData } from './protocol/operations.ts'
import { transact } from './reads.ts'

export class Furniture {
  /** Of all that is created. */
  readonly acl: Acl
  readonly #client: ZkClient
  readonly #layout: Layout

  constructor(client: ZkClient, layout: Layout, acl: Acl) {
    this.#client = client
    this.#layout = layout
    this.acl = acl
  }

  /** Makes what is missing of what every cluster has, and then `others`, parents first. @throws CoordinationError */
  async make(others: readonly string[], call: Call): Promise<void> {
    const all = this.#layout.furniture
    const last = all.at(-1) ?? this.#layout.root
    // made in this order: if the last one is there, so are the others
    const answer = await this.#client.send(getData(last), call)
    const missing = answer.ok ? others : [...all, ...others]
    // one by one: what is there already must not hinder the others; sent together
    const made = await Promise.allSettled(missing.map((path) => this.#makeOne(path, call)))
    // what follows the first failure fails for want of it
    const failed = made.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  }

  async #makeOne(path: string, call: Call): Promise<void> {
    const making = transact(this.#client, [create(path, undefined, this.acl, MODE.PERSISTENT)], call)
    const outcome = await making.catch(async (error: unknown) => {
      // who may not create there is refused before the server looks whether it is there: a chroot, most likely
      const isThere = isCoordinationError(error, 'AUTHORIZATION') && (await this.#client.send(exists(path), call)).ok
      if (!isThere) throw error
      return { done: true } as const
    })
    if (outcome.done || outcome.error === ERR.NODE_EXISTS) return
    throw errorOf(outcome.error) ?? new Error(`${path} could not be created: error ${outcome.error}`)
  }
}
