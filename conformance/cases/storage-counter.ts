/** A counter that many clients count up with `modify`; also used while servers are harmed. */
import { expect } from 'chai'
import { isCoordinationError, modify } from '../../spi/index.ts'
import type { Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { patient } from './storage-steps.ts'

export interface Counting {
  readonly key: string
  /** Increments of each client. */
  readonly each: number
  /** Stop early when this is true. */
  until?(): boolean
}

export interface Counted {
  /** Increments that were acknowledged. */
  readonly acknowledged: number
  /** Of unknown outcome: each may have taken effect or not. */
  readonly open: number
}

/** All clients at once, each one increment after another. An error with effect `none` is not counted. */
export async function countTogether(
  given: Given,
  clients: readonly Party[],
  { key, each, until = () => false }: Counting,
): Promise<Counted> {
  let acknowledged = 0
  let open = 0
  const count = async ({ name, storage }: Party) => {
    for (let done = 0; done < each && !until(); done++) {
      try {
        await given.history.record({ process: name, op: 'increment', key }, () => {
          return modify(storage, key, (now) => String(Number(now?.text ?? 0) + 1), {
            ...patient(given),
            random: () => given.random(),
          })
        })
        acknowledged++
      } catch (error) {
        if (!isCoordinationError(error)) throw error
        if (error.effect === 'unknown') open++
      }
    }
  }
  await Promise.all(clients.map(count))
  return { acknowledged, open }
}

export async function expectSum({ storage }: Party, key: string, { acknowledged, open }: Counted): Promise<void> {
  const sum = Number((await storage.fetch(key)) ?? 0)
  const what = `the counter, after ${acknowledged} increments were acknowledged and ${open} are in doubt`
  expect(sum, what).to.be.within(acknowledged, acknowledged + open)
}
