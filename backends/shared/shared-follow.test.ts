import { expect } from 'chai'
import type { Follow, FollowSink } from './driver.ts'
import { SharedFollows } from './shared-follow.ts'

describe('SharedFollows', () => {
  interface Opened {
    readonly name: string
    readonly sink: FollowSink<number>
    closed: boolean
  }
  let opened: Opened[]
  let told: string[]
  let follows: SharedFollows<number>

  beforeEach(() => {
    opened = []
    told = []
    follows = new SharedFollows<number>((name, sink): Follow => {
      const one: Opened = { name, sink, closed: false }
      opened.push(one)
      return { active: Promise.resolve(), close: () => (one.closed = true) }
    })
  })

  function sink(name: string): FollowSink<number> {
    return {
      reset: (all) => told.push(`${name} reset ${JSON.stringify([...all])}`),
      changed: (changes) => told.push(`${name} changed ${JSON.stringify([...changes])}`),
      failed: (error) => told.push(`${name} failed ${error.message}`),
    }
  }

  it('opens one follow for all, and nothing before somebody joins', () => {
    const shared = follows.get('x')
    expect(opened).to.have.length(0)
    shared.join(sink('a'))
    follows.get('x').join(sink('b'))
    follows.get('y').join(sink('c'))
    expect(opened.map(({ name }) => name)).to.deep.equal(['x', 'y'])
    opened[0]!.sink.reset(new Map([['k', 1]]))
    opened[0]!.sink.changed(new Map([['k', undefined]]))
    expect(told).to.deep.equal([
      'a reset [["k",1]]',
      'b reset [["k",1]]',
      'a changed [["k",null]]',
      'b changed [["k",null]]',
    ])
  })

  it('merges what is told, and starts a late-comer with it', () => {
    const shared = follows.get('x')
    expect(shared.all).to.equal(undefined)
    shared.join(sink('a'))
    opened[0]!.sink.reset(
      new Map([
        ['k', 1],
        ['l', 1],
      ]),
    )
    opened[0]!.sink.changed(
      new Map([
        ['k', undefined],
        ['m', 2],
      ]),
    )
    expect([...(shared.all ?? [])]).to.deep.equal([
      ['l', 1],
      ['m', 2],
    ])
    told = []
    shared.join(sink('b'))
    expect(told).to.deep.equal(['b reset [["l",1],["m",2]]'])
  })

  it('tells nothing after close, ends with the last one, and begins anew after that', () => {
    const shared = follows.get('x')
    const a = shared.join(sink('a'))
    const b = shared.join(sink('b'))
    opened[0]!.sink.reset(new Map())
    a.close()
    a.close()
    told = []
    opened[0]!.sink.changed(new Map([['k', 1]]))
    expect(told).to.deep.equal(['b changed [["k",1]]'])
    expect(opened[0]!.closed).to.equal(false)
    b.close()
    expect(opened[0]!.closed).to.equal(true)
    expect(shared.all).to.equal(undefined)
    shared.join(sink('c'))
    expect(opened).to.have.length(2)
  })

  it('counts each join of one sink', () => {
    const shared = follows.get('x')
    const one = sink('a')
    shared.join(one).close()
    const first = shared.join(one)
    shared.join(one)
    first.close()
    expect(opened.map(({ closed }) => closed)).to.deep.equal([true, false])
  })

  it('does not tell one who was thrown out by another while being told', () => {
    const shared = follows.get('x')
    const parts: Follow[] = []
    shared.join({ ...sink('a'), changed: () => parts[0]!.close() })
    parts.push(shared.join(sink('b')))
    opened[0]!.sink.reset(new Map())
    told = []
    opened[0]!.sink.changed(new Map([['k', 1]]))
    expect(told).to.deep.equal([])
  })

  it('tells all of a failure, and asks the store anew at the next join', () => {
    const shared = follows.get('x')
    shared.join(sink('a'))
    opened[0]!.sink.failed(new Error('forbidden'))
    expect(told).to.deep.equal(['a failed forbidden'])
    shared.join(sink('b'))
    expect(opened).to.have.length(2)
  })

  it('copes with a driver that tells all before it returns', () => {
    const closed: string[] = []
    const hasty = new SharedFollows<number>((name, one) => {
      if (name === 'bad') one.failed(new Error('no'))
      else one.reset(new Map([['k', 1]]))
      return { active: Promise.resolve(), close: () => closed.push(name) }
    })
    hasty.get('bad').join(sink('a'))
    hasty.get('good').join(sink('b')).close()
    expect(told).to.deep.equal(['a failed no', 'b reset [["k",1]]'])
    expect(closed).to.deep.equal(['good'])
  })
})
