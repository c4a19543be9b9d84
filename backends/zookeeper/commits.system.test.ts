import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import type { Seat } from '../shared/driver.ts'
import { holder } from '../shared/driver-suite.ts'
import { call, commitOf, failureOf, reading, write } from '../shared/driver-calls.fixture.ts'
import { persistent, removal, Stage } from './stage.fixture.ts'

const SEAT: Seat = { kind: 'leader', service: 'controller' }

describe('commits in a real ZooKeeper', function () {
  this.timeout(30_000)
  const stage = new Stage()
  stage.prepare()

  it('with a version that another incarnation of the znode had are refused (ABA)', async () => {
    const id = await stage.session()
    const first = await stage.driver.commit(commitOf(id, 1, write('/a', '1')), call())
    if (!first.committed) throw new Error('refused')
    await stage.driver.commit(commitOf(id, 2, removal('/a')), call())
    await stage.driver.commit(commitOf(id, 3, write('/a', '2')), call())
    const old = first.versions.get('/a')
    if (old === undefined) throw new Error('no version')
    const stale = stage.driver.commit(commitOf(id, { number: 4, after: 3 }, write('/a', 'x', old)), call())
    expect(await stale).to.include({ committed: false })
    // what no znode's version shows: it is created anew between looking and writing, by somebody who is as fast
    const { link, far } = await stage.apart()
    const other = await stage.session(far)
    const present = await stage.driver.read('/a', reading())
    if (present === undefined) throw new Error('it is not there')
    link.holdReplies()
    const slow = far.commit(commitOf(other, 1, write('/a', 'x', present.version)), call(5000))
    await stage.driver.commit(commitOf(id, { number: 5, after: 3 }, removal('/a')), call())
    await stage.driver.commit(commitOf(id, 6, write('/a', '3')), call())
    link.heal()
    expect(await slow.catch(() => ({ committed: 'lost' }))).to.not.include({ committed: true })
    expect((await stage.driver.read('/a', reading()))?.text).to.equal('3')
    await link.close()
  })

  it('are refused if the leader changes between looking and writing', async () => {
    const id = await stage.session()
    const { link, far } = await stage.apart()
    const other = await stage.session(far)
    for (const change of ['another', 'none'] as const) {
      const token = (await stage.driver.takeSeat(SEAT, holder(change, id), call())).token
      link.holdReplies()
      const fence = { service: 'controller', token }
      const late = far.commit({ ...commitOf(other, 1, write('/late', 'x')), fence }, call(5000))
      await stage.driver.emptySeat(SEAT, token, call())
      if (change === 'another') await stage.driver.takeSeat(SEAT, holder('b', id), call())
      link.heal()
      expect(await late).to.include({ committed: false })
    }
    expect(await stage.driver.read('/late', reading())).to.equal(undefined)
    await link.close()
  })

  it('that are too large are refused, and the connection goes on', async () => {
    const id = await stage.session()
    const change = { key: '/a', expect: 'anything', become: new Uint8Array(2 << 20) } as const
    const error = await failureOf(stage.driver.commit(commitOf(id, 1, change), call()))
    expect(error).to.include({ code: 'TOO_LARGE', effect: 'none' })
    const largest = { ...change, become: new Uint8Array(stage.driver.capabilities.limits.maxValueBytes) }
    expect(await stage.driver.commit(commitOf(id, { number: 2, after: 0 }, largest), call())).to.include({
      committed: true,
    })
    // as near to the limit of a request as it gets
    const nearly = { ...change, key: '/b', become: new Uint8Array(0xfffff - 1024 - 400) }
    expect(await stage.driver.commit(commitOf(id, { number: 3, after: 2 }, nearly), call())).to.include({
      committed: true,
    })
  })

  it('of as many operations as is promised are taken, on the longest keys', async () => {
    const id = await stage.session()
    const { token } = await stage.driver.takeSeat(SEAT, holder('a', id), call())
    const { transactions } = stage.driver.capabilities
    const count = transactions === false ? 0 : transactions.maxOps
    const changes = Array.from({ length: count }, (_, index) => write(`/${index}/${'k'.repeat(1000)}`, 'x', 'absent'))
    const commit = { ...commitOf(id, 1, ...changes), fence: { service: 'controller', token } }
    expect(await stage.driver.commit(commit, call())).to.include({ committed: true })
  })

  it('whose reply was lost are found out about, at whatever moment it was', async () => {
    const { link, far } = await stage.apart()
    const found = new Set<string>()
    for (let round = 0; round < 24; round++) {
      const id = await stage.session(far)
      const key = `/lost/${round}`
      const commit = commitOf(id, 1, write(key, '1'))
      const lost = far.commit(commit, call()).then(
        () => undefined,
        (error: unknown) => error,
      )
      await delay(round / 6)
      link.holdReplies()
      await Promise.race([lost, delay(30)])
      link.resetAll()
      link.heal()
      await lost
      const outcome = await persistent(() => far.outcomeOf(commit, call()))
      const entry = await stage.driver.read(key, reading())
      if (outcome === 'never') expect(entry).to.equal(undefined)
      else expect(outcome.committed && outcome.versions.get(key)).to.equal(entry?.version)
      found.add(outcome === 'never' ? 'never' : 'committed')
      await persistent(() => far.endSession(id, call()))
    }
    expect([...found]).to.include('committed')
    await link.close()
  })

  it('that were declared to have no effect can have none any more', async () => {
    const id = await stage.session()
    const commit = commitOf(id, 1, write('/a', '1'))
    expect(await stage.driver.outcomeOf(commit, call())).to.equal('never')
    expect(await stage.driver.outcomeOf(commit, call())).to.equal('never')
    expect(await failureOf(stage.driver.commit(commit, call()))).to.include({ effect: 'none' })
    expect(await stage.driver.read('/a', reading())).to.equal(undefined)
  })

  it('stand by what their mark says, also when that changes between looking and writing', async () => {
    const { link, far } = await stage.apart()
    const id = await stage.session(far)
    const mark = stage.layout.mark({ session: id, slot: 0 })
    const held = async <T>(ask: () => Promise<T>, text: string): Promise<T> => {
      link.holdReplies()
      const asked = ask()
      await stage.seen((visitor) => visitor.set(mark, Buffer.from(text)))
      link.heal()
      return asked
    }
    await far.commit(commitOf(id, 1, write('/a', '1')), call())
    const second = commitOf(id, 2, write('/a', '2'))
    const outcome = await held(() => far.outcomeOf(second, call()), '2')
    expect(outcome).to.include({ committed: true })
    const third = commitOf(id, 3, write('/a', '3'))
    const error = await held(() => failureOf(far.commit(third, call())), 'void')
    expect(error).to.include({ effect: 'none' })
    expect(await far.outcomeOf(third, call())).to.equal('never')
    expect((await stage.driver.read('/a', reading()))?.text).to.equal('1')
    await link.close()
  })

  it('leave one mark for each slot, and none when the session is over', async () => {
    const id = await stage.session()
    const marks = () => stage.seen((visitor) => visitor.children(`${stage.layout.root}/write`))
    for (const number of [1, 2, 3]) await stage.driver.commit(commitOf(id, number, write('/a', 'x')), call())
    expect(await marks()).to.deep.equal([`${id}-0`])
    await stage.driver.endSession(id, call())
    expect(await marks()).to.deep.equal([])
  })
})
