import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import { systemClock } from '../../spi/index.ts'
import { call, failureOf, reading } from '../shared/driver-calls.fixture.ts'
import { deferred } from '../shared/deferred.ts'
import type { Answer } from './connection/client.ts'
import { OP } from './protocol/codes.ts'
import { getData, type Operation } from './protocol/operations.ts'
import { type Asked, Newest, Reads } from './reads.ts'

/** A server whose last transaction has this number. */
class Server implements Asked {
  zxid = 5n
  readonly asked: number[] = []
  /** What barriers wait for. */
  agreed = Promise.resolve()

  async send<T>(operation: Operation<T>): Promise<Answer<T>> {
    this.asked.push(operation.type)
    if (operation.type === OP.MULTI) await this.agreed
    return { zxid: this.zxid, ok: true, value: { done: true, stats: [] } as T }
  }
}

describe('reads of a server', () => {
  const set = () => {
    const [server, newest] = [new Server(), new Newest()]
    const reads = new Reads(server, '/c', newest, { clock: systemClock, sessionTimeoutMs: 1000 })
    return { server, newest, reads }
  }
  const settled = () => setImmediate()

  it('are sequential without the others if it knows all that was answered, else after a barrier', async () => {
    const { server, newest, reads } = set()
    newest.saw(5n)
    await reads.read(getData('/c/a'), reading(1000, 'sequential'))
    expect(server.asked).to.deep.equal([OP.EXISTS, OP.GET_DATA])
    newest.saw(6n)
    await reads.read(getData('/c/a'), reading(1000, 'sequential'))
    expect(server.asked.slice(2)).to.deep.equal([OP.EXISTS, OP.GET_DATA, OP.MULTI, OP.GET_DATA])
    newest.saw(4n)
    expect(newest.zxid).to.equal(6n)
  })

  it('share the next barrier, never one that is under way', async () => {
    const { server, reads } = set()
    const [first, second] = [deferred<undefined>(), deferred<undefined>()]
    const barriers = () => server.asked.filter((type) => type === OP.MULTI).length
    const done: string[] = []
    const read = (name: string) => reads.read(getData(`/c/${name}`), reading()).then(() => done.push(name))
    server.agreed = first.promise
    const all = [read('a')]
    await settled()
    all.push(read('b'), read('c'))
    await settled()
    expect(barriers()).to.equal(1)
    server.agreed = second.promise
    first.resolve(undefined)
    await settled()
    expect({ barriers: barriers(), done }).to.deep.equal({ barriers: 2, done: ['a'] })
    second.resolve(undefined)
    await Promise.all(all)
    expect(done).to.deep.equal(['a', 'b', 'c'])
  })

  it('do not wait for a barrier for longer than their caller does', async () => {
    const { server, reads } = set()
    server.agreed = deferred<undefined>().promise
    expect(await failureOf(reads.barrier(call(20)))).to.include({ code: 'TIMEOUT', effect: 'none' })
    const reason = new Error('given up')
    expect(await failureOf(reads.barrier({ signal: AbortSignal.abort(reason), timeoutMs: 1000 }))).to.equal(reason)
  })
})
