/** Nodes of a cluster on one log: who leads, who answers, and what becomes of requests when the lead changes. */
import { expect } from 'chai'
import { get, put, TestCluster } from './cluster.fixture.ts'
import { CLOCK_DRIFT } from './reign.ts'

describe('a cluster', () => {
  let cluster: TestCluster

  afterEach(async () => {
    await cluster.stop()
    expect(cluster.errors).to.deep.equal([])
  })

  it('is led by the node that the assignment names, once its claim is in the log', async () => {
    cluster = await TestCluster.of(3)
    await cluster.assign(2)
    expect(cluster.nodes.map(({ engine }) => engine.leading)).to.deep.equal([false, true, false])
    expect(cluster.nodes.map(({ engine }) => engine.status().leaderId)).to.deep.equal([2n, 2n, 2n])
    expect(cluster.nodes.map(({ engine }) => engine.term)).to.deep.equal([1, 1, 1])
  })

  it('answers a write through any node, and each node then reads it', async () => {
    cluster = await TestCluster.of(3)
    await cluster.assign(1)
    const written = put(cluster.node(3), 'a')
    expect(await cluster.outcome(written)).to.equal('done')
    for (const node of cluster.nodes) expect(await get(node, 'a', true)).to.equal('a')
  })

  it('lets a node that forwarded a write answer only when its own state holds it', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    await cluster.run(put(cluster.node(2), 'a'))
    expect(await get(cluster.node(2), 'a', true)).to.equal('a')
  })

  it('has a follower ask the leader before a linearizable read, and once for all who wait', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    const reads = Promise.all([1, 2, 3, 4].map(() => get(cluster.node(2), 'a')))
    expect(await cluster.outcome(reads)).to.equal('done')
    const asked = cluster.node(1).asked.filter((kind) => kind === 'readIndex').length
    expect(asked).to.be.within(1, 2)
  })

  it('has a deposed leader find out before it answers a read', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    await cluster.assign(2, [cluster.node(2)])
    expect(cluster.nodes.map(({ engine }) => engine.leading)).to.deep.equal([true, true])
    await cluster.run(put(cluster.node(2), 'new'))
    const read = get(cluster.node(1), 'new')
    expect(await cluster.outcome(read)).to.equal('done')
    expect(await read).to.equal('new')
    expect(cluster.node(1).engine.leading).to.equal(false)
  })

  it('gives the write of a deposed leader to its successor, and does it once', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    await cluster.assign(2, [cluster.node(2)])
    const written = put(cluster.node(1), 'a')
    expect(await cluster.outcome(written)).to.equal('done')
    expect(cluster.nodes.map(({ engine }) => engine.revision)).to.deep.equal([2, 2])
  })

  it('answers a write whose acknowledgement was lost, when another leader shows that it is in the log', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    const release = cluster.node(1).log.holdAppends()
    const written = put(cluster.node(1), 'a')
    expect(await cluster.outcome(written)).to.equal('pending')
    await cluster.assign(2)
    release()
    expect(await cluster.outcome(written, 1000)).to.equal('done')
    for (const node of cluster.nodes) expect(await get(node, 'a', true)).to.equal('a')
    expect(cluster.node(1).engine.revision).to.equal(2)
  })

  it('refuses requests after a while if nobody leads, as not done', async () => {
    cluster = await TestCluster.of(1)
    const written = put(cluster.node(1), 'a')
    expect(await cluster.outcome(written, 6_900)).to.equal('pending')
    expect(await cluster.outcome(written, 200)).to.equal('NO_LEADER')
  })

  it('says that an outcome is unknown if the leader did not answer what it was sent', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    cluster.node(1).unreachable = true
    const written = put(cluster.node(2), 'a')
    expect(await cluster.outcome(written, 7_100)).to.equal('LEADER_LOST')
  })

  it('sends no more writes to a leader that does not answer, so that these may be done by another', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    cluster.node(1).unreachable = true
    const sent = put(cluster.node(2), 'a')
    await cluster.clock.advance(400)
    const keptBack = put(cluster.node(2), 'b')
    await cluster.clock.advance(400)
    await cluster.assign(2, [cluster.node(2)])
    expect(await cluster.outcome(keptBack, 100)).to.equal('done')
    expect(await cluster.outcome(sent, 7_000)).to.equal('LEADER_LOST')
  })

  it('does not follow a claim that another one overtook', async () => {
    cluster = await TestCluster.of(2)
    const release = cluster.node(1).log.holdAppends()
    await cluster.assign(1, [cluster.node(1)])
    await cluster.assign(2, [cluster.node(2)])
    release()
    await cluster.clock.settle()
    expect(cluster.nodes.map(({ engine }) => engine.leading)).to.deep.equal([false, true])
    expect(cluster.node(1).engine.term).to.equal(1)
  })

  it('has the lead moved on request, without an error for who writes meanwhile', async () => {
    cluster = await TestCluster.of(3)
    await cluster.assign(1)
    const moved = cluster.node(1).engine.moveLeader(3n)
    const written = Promise.all(cluster.nodes.map((node) => put(node, `from ${node.id}`)))
    expect(await cluster.outcome(moved)).to.equal('done')
    expect(await cluster.outcome(written, 5)).to.equal('done')
    expect(cluster.node(3).engine.leading).to.equal(true)
    expect(cluster.node(3).coordinator.announced).to.equal(1)
  })

  it('refuses to move the lead from a node that does not lead, or to one that is no member', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    expect(await cluster.outcome(cluster.node(2).engine.moveLeader(1n))).to.equal('NOT_LEADER')
    expect(await cluster.outcome(cluster.node(1).engine.moveLeader(7n))).to.equal('BAD_TRANSFEREE')
  })

  it('goes on under its leader if the one that should take over does not', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    cluster.node(2).unreachable = true
    expect(await cluster.outcome(cluster.node(1).engine.moveLeader(2n), 2_000)).to.equal('TIMEOUT')
    expect(await cluster.outcome(put(cluster.node(1), 'a'))).to.equal('done')
  })

  it('has a leader that stops hand the lead over and leave', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    const resigned = cluster.node(1).engine.resign()
    expect(await cluster.outcome(resigned)).to.equal('pending')
    expect(cluster.node(2).engine.leading).to.equal(true)
    expect(cluster.node(1).coordinator.left).to.equal(true)
    expect(await cluster.outcome(put(cluster.node(1), 'a'))).to.equal('done')
    expect(await cluster.outcome(resigned, 1_000)).to.equal('done')
  })

  it('takes a leader for dead that neither writes nor answers, but not one that has nothing to write', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    await cluster.clock.advance(5_000)
    expect(cluster.node(2).coordinator.expelled).to.deep.equal([])
    cluster.node(1).log.holdAppends()
    await cluster.clock.advance(5_000)
    expect(cluster.node(2).coordinator.expelled).to.deep.equal([])
    cluster.node(1).unreachable = true
    await cluster.clock.advance(2_500)
    expect(cluster.node(2).coordinator.expelled).to.include(1n)
  })

  it('knows of no leader on a node that for long sees none in the log, until it sees one again', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    let changes = 0
    cluster.node(2).engine.onLeaderChange(() => changes++)
    const release = cluster.node(1).log.holdAppends()
    await cluster.clock.advance(4_000)
    expect(cluster.nodes.map(({ engine }) => engine.leaderId)).to.deep.equal([0n, 0n])
    release()
    await cluster.clock.advance(1_000)
    expect(cluster.nodes.map(({ engine }) => engine.leaderId)).to.deep.equal([1n, 1n])
    expect(changes).to.equal(2)
  })

  it('waits with a claim while the leader that the assignment does not know yet announces itself', async () => {
    cluster = await TestCluster.of(2)
    await cluster.assign(1)
    const before = cluster.nodes.map(({ coordinator }) => coordinator.self)
    await cluster.assign(2, [cluster.node(2)])
    cluster.node(1).coordinator.assign({ generation: 3, leader: 1n, members: before, refused: [] })
    await cluster.clock.advance(1_000)
    expect(cluster.nodes.map(({ engine }) => engine.leading)).to.deep.equal([false, true])
  })

  it('with a read lease answers reads without the log until the lease is over', async () => {
    cluster = await TestCluster.of(1, { readLeaseMs: 1000, tickIntervalMs: 60_000 })
    await cluster.assign(1)
    await cluster.run(put(cluster.node(1), 'a'))
    const release = cluster.node(1).log.holdAppends()
    await cluster.clock.advance(999)
    expect(await cluster.outcome(get(cluster.node(1), 'a'))).to.equal('done')
    await cluster.clock.advance(1)
    expect(await cluster.outcome(get(cluster.node(1), 'a'))).to.equal('pending')
    release()
    await cluster.clock.settle()
  })

  it('has the successor of a leader with a read lease wait it out, unless the leader gave it up', async () => {
    cluster = await TestCluster.of(2, { readLeaseMs: 1000 })
    await cluster.assign(1)
    await cluster.run(put(cluster.node(1), 'a'))
    await cluster.assign(2, [cluster.node(2)])
    await cluster.clock.advance(1000 * CLOCK_DRIFT - 1)
    expect(cluster.node(2).engine.leading).to.equal(false)
    await cluster.clock.advance(1)
    expect(cluster.node(2).engine.leading).to.equal(true)
    await cluster.outcome(cluster.node(2).engine.moveLeader(1n))
    expect(cluster.node(1).engine.leading).to.equal(true)
  })
})
