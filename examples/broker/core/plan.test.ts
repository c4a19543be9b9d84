import { expect } from 'chai'
import * as fc from 'fast-check'
import type { Version } from 'keta/spi'
import { grownIsr } from './in-sync.ts'
import { decodeState, decodeTopic, type PartitionState, type TopicRecord } from './metadata.ts'
import { parseStatePath } from './paths.ts'
import { plan } from './plan.ts'
import type { ClusterView, TopicView, Versioned, Write } from './view.ts'

const EPOCH = 5

function version(text: string): Version {
  return text as Version
}

function versioned<T>(value: T, text = 'v'): Versioned<T> {
  return { value, version: version(text) }
}

function record(replicas: readonly (readonly number[])[], changes: Partial<TopicRecord> = {}): Versioned<TopicRecord> {
  return versioned({
    id: 'id',
    partitions: new Map(replicas.entries()),
    adding: new Map(),
    removing: new Map(),
    ...changes,
  })
}

function topic(
  of: Versioned<TopicRecord> | undefined,
  states: readonly (PartitionState | undefined)[] = [],
): TopicView {
  const there = [...states.entries()].flatMap(([partition, state]) =>
    state === undefined ? [] : [[partition, versioned(state, `s${partition}`)] as const],
  )
  return { record: of, states: new Map(there), isUnreadable: false }
}

function view(changes: Partial<ClusterView> & { readonly live?: readonly number[] } = {}): ClusterView {
  const { live = [0, 1, 2], ...others } = changes
  return {
    brokers: new Map(live.map((id) => [id, { isLeaving: false }])),
    topics: new Map(),
    configs: new Map(),
    deletions: new Map(),
    reassignment: undefined,
    preferred: undefined,
    pastShutdowns: new Map(),
    ...others,
  }
}

function state(leader: number, leaderEpoch: number, isr: readonly number[]): PartitionState {
  return { controllerEpoch: 1, leader, leaderEpoch, isr }
}

/** What is written to the one partition of the one topic. */
function planned(of: Partial<ClusterView> & { live?: readonly number[] }, now?: PartitionState, replicas = [0, 1, 2]) {
  const writes = plan(view({ topics: new Map([['t', topic(record([replicas]), [now])]]), ...of }), EPOCH)
  const write = writes.find(({ key }) => parseStatePath(key) !== undefined)
  return write === undefined || write.op === 'delete' ? undefined : decodeState(write.data)
}

describe('plan', () => {
  it('makes the first state, with all replicas that are there', () => {
    const writes = plan(view({ topics: new Map([['t', topic(record([[0, 1, 2]]))]]) }), 1)
    expect(writes).to.deep.equal([
      {
        op: 'put',
        key: '/brokers/topics/t/partitions/0/state',
        data: '{"controller_epoch":1,"leader":0,"version":1,"leader_epoch":0,"isr":[0,1,2]}',
      },
    ])
    expect(planned({ live: [1, 2] })).to.deep.equal({ controllerEpoch: EPOCH, leader: 1, leaderEpoch: 0, isr: [1, 2] })
    expect(planned({ live: [7] })).to.equal(undefined)
  })

  it('elects the first living replica that is in sync when the leader has gone', () => {
    const next = planned({ live: [1, 2] }, state(0, 3, [2, 0, 1]))
    expect(next).to.deep.equal({ controllerEpoch: EPOCH, leader: 1, leaderEpoch: 4, isr: [2, 1] })
    expect(planned({ live: [1, 2] }, state(0, 3, [0, 2]))?.leader).to.equal(2)
  })

  it('leaves alone what has a living leader, whoever else has gone', () => {
    expect(planned({ live: [0] }, state(0, 3, [0, 1, 2]))).to.equal(undefined)
  })

  it('has nobody lead when nobody in sync is left, and remembers who was', () => {
    const none = planned({ live: [0] }, state(1, 3, [1]))
    expect(none).to.deep.equal({ controllerEpoch: EPOCH, leader: -1, leaderEpoch: 4, isr: [1] })
    expect(planned({ live: [0] }, state(-1, 4, [1]))).to.equal(undefined)
    expect(planned({ live: [0, 1] }, state(-1, 4, [1]))).to.deep.equal({
      ...{ controllerEpoch: EPOCH, leader: 1, leaderEpoch: 5, isr: [1] },
    })
  })

  it('replaces a leader that wants to leave, unless it is the last', () => {
    const brokers = new Map([0, 1, 2].map((id) => [id, { isLeaving: id === 0 }]))
    expect(planned({ brokers }, state(0, 3, [0, 1]))).to.deep.equal({
      ...{ controllerEpoch: EPOCH, leader: 1, leaderEpoch: 4, isr: [1] },
    })
    expect(planned({ brokers }, state(0, 3, [0]))).to.equal(undefined)
  })

  it('has the first replica lead if it is asked for and in sync, and forgets the wish then', () => {
    const preferred = versioned([{ topic: 't', partition: 0 }], 'wish')
    expect(planned({ preferred }, state(1, 3, [1, 0]))).to.deep.equal({
      ...{ controllerEpoch: EPOCH, leader: 0, leaderEpoch: 4, isr: [1, 0] },
    })
    for (const now of [state(1, 3, [1, 2]), state(0, 4, [1, 0])]) {
      const topics = new Map([['t', topic(record([[0, 1, 2]]), [now])]])
      expect(plan(view({ topics, preferred }), EPOCH)).to.deep.equal([
        { op: 'delete', key: '/admin/preferred_replica_election', ifVersion: 'wish' },
      ])
    }
  })

  it('deletes the states first, then the configuration, the record, and the wish last', () => {
    const deletions = new Map([['t', versioned({ topicId: 'id' }, 'wish')]])
    const configs = new Map([['t', version('c')]])
    const keys = (of: TopicView | undefined, more: Partial<ClusterView> = {}) =>
      plan(view({ topics: new Map(of === undefined ? [] : [['t', of]]), deletions, ...more }), EPOCH).map(
        ({ op, key }) => {
          expect(op).to.equal('delete')
          return key
        },
      )
    const withState = topic(record([[0]]), [state(0, 0, [0])])
    expect(keys(withState, { configs })).to.deep.equal(['/brokers/topics/t/partitions/0/state', '/config/topics/t'])
    expect(keys(topic(record([[0]])))).to.deep.equal(['/brokers/topics/t'])
    expect(keys(undefined)).to.deep.equal(['/admin/delete_topics/t'])
    expect(keys(topic(undefined, [state(0, 0, [0])]))).to.deep.equal(['/brokers/topics/t/partitions/0/state'])
  })

  it('spares a topic that has the name of one that was to be deleted', () => {
    const deletions = new Map([['t', versioned({ topicId: 'another' }, 'wish')]])
    const topics = new Map([['t', topic(record([[0]]), [state(0, 0, [0])])]])
    expect(plan(view({ topics, deletions }), EPOCH)).to.deep.equal([
      { op: 'delete', key: '/admin/delete_topics/t', ifVersion: 'wish' },
    ])
  })

  it('leaves alone what it cannot read', () => {
    const unreadable = { ...topic(undefined, [state(9, 0, [9])]), isUnreadable: true }
    const deletions = new Map([['t', versioned({ topicId: '' })]])
    const reassignment = versioned([{ topic: 't', partition: 0, replicas: [1] }])
    expect(plan(view({ topics: new Map([['t', unreadable]]), deletions, reassignment }), EPOCH)).to.deep.equal([])
  })

  it('writes only over what it has seen', () => {
    const topics = new Map([['t', topic(record([[0, 1]]), [state(9, 0, [0, 1])])]])
    expect(plan(view({ topics }), EPOCH)).to.have.nested.property('[0].ifVersion', 's0')
  })
})

describe('a reassignment', () => {
  /** As a store and well-behaved leaders would do: until nothing is left to be done. */
  function settle(
    before: ClusterView,
    target: readonly number[],
  ): { readonly view: ClusterView; readonly steps: number } {
    let now = before
    for (let steps = 0; steps < 20; steps++) {
      const writes = plan(now, EPOCH)
      const grown = growIsr(now)
      if (writes.length === 0 && grown === now) return { view: now, steps }
      now = writes.reduce(applied, grown)
    }
    return expect.fail(`not settled on ${target.join(',')}`)
  }

  function growIsr(now: ClusterView): ClusterView {
    const one = now.topics.get('t') ?? expect.fail('no topic')
    const { value } = one.states.get(0) ?? expect.fail('no state')
    const all = {
      replicas: one.record?.value.partitions.get(0) ?? [],
      removing: one.record?.value.removing.get(0) ?? [],
      live: new Set(now.brokers.keys()),
    }
    const followers = new Map(all.replicas.map((id) => [id, { endOffset: 0, caughtUpAt: 0 }]))
    const empty = { unsettled: [], endOffset: 0, epochStart: 0, highWatermark: 0, followers }
    const isr = value.leader < 0 ? undefined : grownIsr({ ...empty, me: value.leader, isr: value.isr }, all)
    if (isr === undefined) return now
    return { ...now, topics: new Map([['t', { ...one, states: new Map([[0, versioned({ ...value, isr })]]) }]]) }
  }

  function applied(now: ClusterView, write: Write): ClusterView {
    const one = now.topics.get('t') ?? expect.fail('no topic')
    if (write.key === '/admin/reassign_partitions') return { ...now, reassignment: undefined }
    if (write.op === 'delete') return expect.fail(`deletes ${write.key}`)
    const after =
      write.key === '/brokers/topics/t'
        ? { ...one, record: versioned(decodeTopic(write.data)) }
        : { ...one, states: new Map([[0, versioned(decodeState(write.data))]]) }
    return { ...now, topics: new Map([['t', after]]) }
  }

  it('adds, waits until all are in sync, drops, and forgets the wish', () => {
    const reassignment = versioned([{ topic: 't', partition: 0, replicas: [1, 2, 3] }])
    const before = view({
      live: [0, 1, 2, 3],
      reassignment,
      topics: new Map([['t', topic(record([[0, 1, 2]]), [state(0, 0, [0, 1, 2])])]]),
    })
    const [first, ...others] = plan(before, EPOCH)
    expect(others).to.deep.equal([])
    expect(first).to.have.property('op', 'update')
    const during = decodeTopic(first?.op === 'update' ? first.data : '')
    expect(during.partitions.get(0)).to.deep.equal([1, 2, 3, 0])
    expect([during.adding.get(0), during.removing.get(0)]).to.deep.equal([[3], [0]])
    const { view: after } = settle(before, [1, 2, 3])
    expect(after.topics.get('t')?.states.get(0)?.value).to.deep.equal({
      ...{ controllerEpoch: EPOCH, leader: 1, leaderEpoch: 1, isr: [1, 2, 3] },
    })
    expect(after.reassignment).to.equal(undefined)
  })

  it('never has somebody lead who is not in sync, nor the set fall below what stays', () => {
    const lists = fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(lists, lists, (origin, target) => {
        const before = view({
          live: [0, 1, 2, 3, 4, 5],
          reassignment: versioned([{ topic: 't', partition: 0, replicas: target }]),
          topics: new Map([['t', topic(record([origin]), [state(origin[0] ?? 0, 0, origin)])]]),
        })
        const { view: after } = settle(before, target)
        const { record: now, states } = after.topics.get('t') ?? expect.fail('no topic')
        expect(now?.value.partitions.get(0)).to.deep.equal(target)
        expect([now?.value.adding.size, now?.value.removing.size]).to.deep.equal([0, 0])
        const { leader, isr } = states.get(0)?.value ?? expect.fail('no state')
        expect(isr).to.have.members(target)
        expect(isr).to.include(leader)
        expect(after.reassignment).to.equal(undefined)
      }),
    )
  })
})
