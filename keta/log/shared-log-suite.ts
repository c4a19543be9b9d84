/**
 * What every log that several nodes share must do beyond `log-suite.ts`. An adapter's own test calls
 * `describeSharedLog` with a way to open handles on one fresh log.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { bytes, codeOf, readAll, texts } from './log-suite.ts'
import type { FollowedBatch, SharedLog } from './log.ts'

export interface SharedLogUnderTest {
  /** A handle of its own, as another node has one. All are closed by `dispose`. */
  open(): Promise<SharedLog>
  dispose(): Promise<void>
}

const NEVER = new AbortController().signal

export function describeSharedLog(name: string, create: () => Promise<SharedLogUnderTest>): void {
  describe(`${name} as a log that nodes share`, () => {
    let shared: SharedLogUnderTest
    let log: SharedLog
    let other: SharedLog
    beforeEach(async () => {
      shared = await create()
      log = await shared.open()
      other = await shared.open()
    })
    afterEach(() => shared.dispose())

    it('has one id for all nodes, and another log has another', async () => {
      expect(other.logId).to.equal(log.logId)
      const another = await create()
      const { logId } = await another.open()
      await another.dispose()
      expect(logId).not.to.equal(log.logId)
    })

    describeFollowing(() => ({ log, other }))

    it('gives an append up when told to, before it is sent as well', async () => {
      expect(await codeOf(log.append([bytes('never')], AbortSignal.abort()))).to.equal('ABORTED')
      const { baseOffset } = await log.append([bytes('after')], NEVER)
      expect((await readAll(log, baseOffset)).map(({ bytes: found }) => Buffer.from(found).toString())[0]).to.equal(
        'after',
      )
    })

    it('may have the batch of an append that was given up, or not; the next append works', async () => {
      for (let round = 0; round < 20; round++) {
        const giveUp = new AbortController()
        const append = log.append([bytes(`doubtful ${round}`)], giveUp.signal)
        setTimeout(() => giveUp.abort(), round / 10)
        expect(await codeOf(append)).to.be.oneOf(['ABORTED', 'resolved'])
        const { baseOffset } = await log.append([bytes(`certain ${round}`)])
        expect((await texts(log, baseOffset))[0]).to.equal(`certain ${round}`)
      }
    })

    it('keeps the batches of nodes that append at once whole, each where its receipt says', async () => {
      const appendAll = async (node: SharedLog, own: string): Promise<number[]> => {
        const offsets: number[] = []
        for (let index = 0; index < 50; index++) {
          offsets.push((await node.append([bytes(`${own}${index}`), bytes(`${own}${index}'`)])).baseOffset)
        }
        return offsets
      }
      const [mine, theirs] = await Promise.all([appendAll(log, 'a'), appendAll(other, 'b')])
      const found = new Map(
        (await readAll(log, log.startOffset)).map((at) => [at.offset, Buffer.from(at.bytes).toString()]),
      )
      for (const [own, offsets] of [
        ['a', mine],
        ['b', theirs],
      ] as const) {
        offsets.forEach((offset, index) => {
          expect([found.get(offset), found.get(offset + 1)]).to.deep.equal([`${own}${index}`, `${own}${index}'`])
        })
        expect([...offsets].sort((a, b) => a - b)).to.deep.equal(offsets)
      }
    })

    it('lets one node drop what another has appended', async () => {
      await log.append([bytes('old')])
      const { baseOffset } = await log.append([bytes('new')])
      await other.dropBefore(baseOffset)
      expect(await texts(log, baseOffset)).to.deep.equal(['new'])
      expect(other.startOffset).to.equal(baseOffset)
    })
  })
}

function describeFollowing(nodes: () => { readonly log: SharedLog; readonly other: SharedLog }): void {
  it('hands out a first batch of an empty log, without records', async () => {
    const { log } = nodes()
    expect(await take(log, log.startOffset, 0)).to.deep.equal([])
  })

  it('lets a node follow what others append, in order, each record where the receipt says', async () => {
    const { log, other } = nodes()
    await log.append([bytes('a'), bytes('b')])
    const following = take(other, log.startOffset, 5)
    const { baseOffset } = await log.append([bytes('c')])
    await log.append([bytes('d'), bytes('e')])
    const found = await following
    expect(found.map(({ text }) => text)).to.deep.equal(['a', 'b', 'c', 'd', 'e'])
    expect(found[2]?.offset).to.equal(baseOffset)
  })

  it('says with each batch how far the log reaches', async () => {
    const { log, other } = nodes()
    await log.append([bytes('a')])
    await log.append([bytes('b')])
    for await (const { records, endOffset } of other.follow(log.startOffset, NEVER)) {
      expect(endOffset).to.equal(log.endOffset)
      expect(records.at(0)?.offset).to.equal(log.startOffset)
      break
    }
  })

  it('follows from the middle of a batch', async () => {
    const { log, other } = nodes()
    const { baseOffset } = await log.append([bytes('a'), bytes('b'), bytes('c')])
    expect((await take(other, baseOffset + 1, 2)).map(({ text }) => text)).to.deep.equal(['b', 'c'])
  })

  it('lets several follow at once, and each stop when it likes', async () => {
    const { log } = nodes()
    const all = [1, 2, 3].map((count) => take(log, log.startOffset, count))
    for (const text of ['a', 'b', 'c']) await log.append([bytes(text)])
    expect((await Promise.all(all)).map((found) => found.length)).to.deep.equal([1, 2, 3])
  })

  it('ends a follow, without an error, when its signal is aborted', async () => {
    const { log } = nodes()
    const stop = new AbortController()
    let batches = 0
    for await (const { records } of log.follow(log.startOffset, stop.signal)) {
      expect(records).to.deep.equal([])
      batches++
      setTimeout(() => stop.abort(), 5)
    }
    expect(batches).to.be.at.least(1)
    for await (const { endOffset } of log.follow(log.startOffset, stop.signal))
      expect.fail(`a batch up to ${endOffset}`)
  })

  it('refuses to follow from below its start and from beyond its end', async () => {
    const { log, other } = nodes()
    await log.append([bytes('a')])
    const { baseOffset } = await log.append([bytes('b')])
    await log.dropBefore(baseOffset)
    expect(await codeOf(take(other, log.startOffset - 1, 1))).to.equal('OUT_OF_RANGE')
    expect(await codeOf(take(other, log.endOffset + 1, 1))).to.equal('OUT_OF_RANGE')
  })

  it('refuses to follow once closed, and ends the follows that are under way', async () => {
    const { log } = nodes()
    const following = codeOf(take(log, log.startOffset, 1))
    await delay(5)
    await log.close()
    expect(await following).to.equal('CLOSED')
    expect(await codeOf(take(log, log.startOffset, 1))).to.equal('CLOSED')
  })
}

interface Taken {
  readonly offset: number
  readonly text: string
}

/** The first `count` records from `fromOffset` on; at least one batch is awaited. */
async function take(log: SharedLog, fromOffset: number, count: number): Promise<Taken[]> {
  const taken: Taken[] = []
  for await (const batch of log.follow(fromOffset, NEVER)) {
    taken.push(...taggedTexts(batch))
    if (taken.length >= count) return taken.slice(0, count)
  }
  throw new Error('the follow ended by itself')
}

function taggedTexts({ records }: FollowedBatch): Taken[] {
  return records.map(({ offset, bytes: view }) => ({ offset, text: Buffer.from(view).toString() }))
}
