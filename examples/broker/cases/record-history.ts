/** What a producer was told, and whether the log agrees. */
import { expect } from 'chai'
import type { BrokerClient, ConsumedRecord } from '../client/client.ts'
import { BrokerError } from '../errors.ts'

/** One producer of one partition: a record at a time, each of them another. */
export class Producer {
  readonly #client: BrokerClient
  readonly #topic: string
  readonly #partition: number
  readonly #acknowledged: { readonly text: string; readonly offset: number }[] = []
  readonly #sent: string[] = []
  #isOver = false
  readonly #finished: Promise<void>

  constructor(client: BrokerClient, topic: string, partition: number) {
    this.#client = client
    this.#topic = topic
    this.#partition = partition
    this.#finished = this.#produce()
  }

  get acknowledged(): number {
    return this.#acknowledged.length
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#finished
  }

  /**
   * Every acknowledged record stands where it was said to stand; in the order of sending, repetitions of one that got no
   * answer aside; and nothing is there that was not sent.
   */
  check(records: readonly ConsumedRecord[]): void {
    const at = new Map(records.map(({ offset, value }) => [offset, value.toString()]))
    for (const { text, offset } of this.#acknowledged) {
      expect(at.get(offset), `offset ${offset} of partition ${this.#partition}`).to.equal(text)
    }
    for (const [index, { offset }] of records.entries()) expect(offset, 'offsets without gap').to.equal(index)
    const order = new Map(this.#sent.map((text, index) => [text, index]))
    let last = -1
    for (const { value } of records) {
      const index = order.get(value.toString()) ?? expect.fail(`${value.toString()} was never sent`)
      expect(index, `${value.toString()} after ${this.#sent[last] ?? 'nothing'}`).to.be.at.least(last)
      last = index
    }
  }

  async #produce(): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      const text = `p${this.#partition}-${number}`
      this.#sent.push(text)
      try {
        const offset = await this.#client.produce(this.#topic, this.#partition, [Buffer.from(text)])
        this.#acknowledged.push({ text, offset })
      } catch (error) {
        // it may be there or not: no more is said
        if (!(error instanceof BrokerError)) throw error
      }
    }
  }
}
