import { expect } from 'chai'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeWaits } from './waits.ts'

const DEFAULT_MS = 40
/** For what must come: the machine may be busy. */
const AMPLE_MS = 10_000

async function failureOf(task: Promise<unknown>): Promise<string> {
  try {
    await task
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return expect.fail('it did not fail')
}

describe('waiting for conditions', () => {
  const never = new AbortController().signal
  const waits = makeWaits(never, DEFAULT_MS)

  it('asks again until there is a value, and gives it', async () => {
    let asked = 0
    const value = await waits.until('the third answer', () => (++asked < 3 ? undefined : { asked }), AMPLE_MS)
    expect(value).to.deep.equal({ asked: 3 })
  })

  it('takes null, 0 and empty text for answers', async () => {
    expect(await waits.until('null', () => null, AMPLE_MS)).to.equal(null)
    expect(await waits.until('zero', async () => 0, AMPLE_MS)).to.equal(0)
    expect(await waits.until('nothing', () => '', AMPLE_MS)).to.equal('')
  })

  it('takes a failed assertion for "not yet", and says which it was at last', async () => {
    let asked = 0
    const second = () => {
      expect(++asked).to.equal(2)
      return true
    }
    await waits.until('two', second, AMPLE_MS)
    const message = await failureOf(
      waits.until('three of them', () => {
        expect(2, 'members').to.equal(3)
        return true
      }),
    )
    expect(message).to.equal('three of them: not within 40 ms; seen last: members: expected 2 to equal 3')
  })

  it('says what it saw last, also nothing, also no answer', async () => {
    expect(await failureOf(waits.until('a', () => false))).to.include('seen last: false')
    expect(await failureOf(waits.until('a', () => undefined))).to.include('seen last: undefined')
    const unanswered = once(new EventTarget(), 'never')
    const message = await failureOf(waits.until('a', () => unanswered))
    expect(message).to.include('the question has not been answered')
  })

  it('fails at once with any other error', async () => {
    const broken = () => {
      throw new TypeError('broken')
    }
    expect(await failureOf(waits.until('a', broken, 60_000))).to.equal('broken')
    expect(await failureOf(waits.always('a', broken, 60_000))).to.equal('broken')
  })

  it('looks once more when the time is up', async () => {
    let come = false
    const waiting = waits.until('it', () => come, 20)
    // nothing is asked while the loop is stalled past the end
    const end = performance.now() + 60
    while (performance.now() < end);
    come = true
    expect(await waiting).to.equal(true)
  })

  it('holds a condition to all of the time', async () => {
    await waits.always('true', () => true, 20)
    let asked = 0
    const message = await failureOf(waits.always('alone', async () => ++asked < 3, 500))
    expect(message).to.match(/^alone: no longer so after \d+ of 500 ms: false$/)
    expect(await failureOf(waits.always('so', () => false, 0))).to.include('no longer so after 0')
  })

  it('waits for an answer that takes longer than that, and then asks about the end of the time', async () => {
    let asked = 0
    await waits.always('slow at first', () => (++asked === 1 ? sleep(1_100, true) : true), 10)
    expect(asked).to.equal(2)
    asked = 0
    const trueAtFirst = () => (++asked === 1 ? sleep(30, true) : false)
    const message = await failureOf(waits.always('true at first', trueAtFirst, 10))
    expect(message).to.match(/^true at first: no longer so after \d+ of 10 ms: false$/)
  })

  it('knows what is being waited for', async () => {
    const over = new AbortController()
    const mine = makeWaits(over.signal, 60_000)
    const until = failureOf(mine.until('hell freezes', () => false))
    const always = failureOf(mine.always('it burns', () => true, 60_000))
    const tracked = mine.track('a call', Promise.resolve('done'))
    expect(mine.pending).to.deep.equal(['hell freezes', 'always it burns', 'a call'])
    expect(await tracked).to.equal('done')
    expect(mine.pending).to.deep.equal(['hell freezes', 'always it burns'])
    over.abort(new Error('the case is over'))
    expect(await until).to.equal('the case is over')
    expect(await always).to.equal('the case is over')
    expect(mine.pending).to.deep.equal([])
  })
})
