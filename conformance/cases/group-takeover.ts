/** Cases G11–G13 and G18: an id that another session holds, or held. */
import { expect } from 'chai'
import { isCoordinationError } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { underWay } from './group-calls.ts'
import { expectMember, expectMembers, GROUP, logGroup, memberOf, SLACK_MS } from './group-steps.ts'
import { calmParties, calmTrio } from './storage-clients.ts'
import { failure } from './storage-steps.ts'

export const groupTakeover: readonly ConformanceCase[] = [
  {
    id: 'G11',
    title: 'a join that waits gets the id when its holder is dead; one that was given up leaves nothing behind',
    needs: ['processes'],
    run: waiting,
  },
  {
    id: 'G12',
    title: 'a takeover evicts the holder, whose leave does not touch its successor',
    run: takeover,
  },
  {
    id: 'G13',
    title: 'a member whose record was removed is told so, and comes back with a higher epoch if it may',
    needs: ['removeMember'],
    run: removed,
  },
  {
    id: 'G18',
    title: 'the restarted process of a crashed member is refused, waits, or takes over, as it asks',
    needs: ['processes'],
    run: restarted,
  },
]

async function waiting(given: Given): Promise<void> {
  const holder = await given.process('A')
  const [b, c] = [await given.party('B'), await given.party('C')]
  const { epoch } = await holder.group(GROUP).join('1', 'of A')
  const abort = new AbortController()
  const reason = new Error('no longer wanted')
  const waits = underWay(b.group(GROUP).join('1', 'of B', { onConflict: 'wait' }))
  const givenUp = underWay(c.group(GROUP).join('1', 'of C', { onConflict: 'wait', signal: abort.signal }))
  await given.always('the id is held, the others wait', () => !waits.settled && !givenUp.settled, 1.2 * given.T)
  await expectMember(b.group(GROUP), '1', 'of A', epoch)

  abort.abort(reason)
  expect(await failure('a join that was given up', givenUp.result), 'what it rejects with').to.equal(reason)
  await holder.kill()
  await given.until('the one that waits has joined', () => waits.settled, given.T + given.graceMs + SLACK_MS)
  const membership = await waits.result
  expect(membership.epoch > epoch, 'whether the epoch of the next holder is higher').to.equal(true)
  await expectMember(c.group(GROUP), '1', 'of B', membership.epoch)
  await b.group(GROUP).leave('1')
  const members = () => b.group(GROUP).membershipList()
  await given.always(
    'nobody is a member: the other one has given up',
    async () => (await members()).size === 0,
    given.T,
  )
}

async function takeover(given: Given): Promise<void> {
  const [a, b, observer] = await calmTrio(given)
  const old = await a.group().join('1', 'old', { autoRejoin: false })
  const log = await logGroup(given, a.group())
  const taken = await b.group().join('1', 'new', { onConflict: 'takeover' })
  expect(taken.epoch > old.epoch, 'whether the epoch of who took over is higher').to.equal(true)
  await expectMember(observer.group(), '1', 'new', taken.epoch)

  await given.until('the evicted one is told', () => log.lost.length > 0)
  const told = log.lost.map(({ membership, reason, aborted }) => ({ epoch: membership.epoch, reason, aborted }))
  expect(told, 'how it was told').to.deep.equal([{ epoch: old.epoch, reason: 'evicted', aborted: true }])
  await a.group().leave('1')
  await old[Symbol.asyncDispose]()
  await a.locator.shutdown()
  const stays = async () => (await memberOf(observer.group(), '1')).epoch === taken.epoch
  await given.always('who took over stays, though the evicted one has left and gone', stays, given.T / 2)
  expect(taken.signal.aborted, 'whether who took over is out').to.equal(false)

  // where there is nobody to evict it is an ordinary join
  await b.group().leave('1')
  const again = await b.group().join('1', 'again', { onConflict: 'takeover' })
  await expectMember(observer.group(), '1', 'again', again.epoch)
  expect(again.epoch > taken.epoch, 'whether the epoch of the next incarnation is higher').to.equal(true)
}

async function removed(given: Given): Promise<void> {
  const { removeMember } = given.hooks
  if (removeMember === undefined) throw new Error('the hook removeMember is missing')
  const [a, observer] = await calmParties(given, 2)
  const log = await logGroup(given, a.group(GROUP))
  const back = await a.group(GROUP).join('back', 'b')
  const stays = await a.group(GROUP).join('out', 'o', { autoRejoin: false })
  await removeMember.call(given.hooks, given.clusterId, GROUP, 'back')
  await removeMember.call(given.hooks, given.clusterId, GROUP, 'out')
  await given.until('both are told that they are out', () => log.lost.length === 2, 2 * given.T + given.graceMs)
  for (const { membership, reason, aborted } of log.lost) {
    expect({ reason, aborted }, `how ${membership.id} was told`).to.deep.equal({ reason: 'evicted', aborted: true })
  }
  expect([back.signal.aborted, stays.signal.aborted], 'whether both are over').to.deep.equal([true, true])
  const rejoined = await given.until('one of them is back', () => log.rejoined[0])
  expect(rejoined.id, 'which one is back').to.equal('back')
  expect(rejoined.epoch > back.epoch, 'whether its epoch is higher').to.equal(true)
  await expectMember(observer.group(GROUP), 'back', 'b', rejoined.epoch)
  await given.always(
    'the other one stays out',
    async () => (await observer.group(GROUP).membershipList()).size === 1,
    given.T / 2,
  )
}

async function restarted(given: Given): Promise<void> {
  const crashed = await given.process('A')
  const next = await given.party('A again')
  const group = next.group(GROUP)
  const ids = ['throw', 'wait', 'takeover'] as const
  const epochs = new Map<string, bigint>()
  for (const id of ids) epochs.set(id, (await crashed.group(GROUP).join(id, 'before')).epoch)
  const heldUntil = await crashed.run<number>('sessionDeadline')
  await crashed.kill()

  const waits = underWay(group.join('wait', 'after', { onConflict: 'wait' }))
  const taken = await group.join('takeover', 'after', { onConflict: 'takeover' })
  expect(taken.epoch > (epochs.get('takeover') ?? 0n), 'whether the epoch after a takeover is higher').to.equal(true)
  const refused = await group.join('throw', 'after').catch((error: unknown) => error)
  // an answer that comes after the ghost's end may be either
  if (given.now() < heldUntil) {
    expect(
      isCoordinationError(refused, 'MEMBER_EXISTS'),
      `whether the ghost stands in the way: ${String(refused)}`,
    ).to.equal(true)
    expect(waits.settled, 'whether the one that waits has got past the ghost').to.equal(false)
  }
  const limit = given.T + given.graceMs + SLACK_MS
  await given.until('the ghost is gone and the one that waits has joined', () => waits.settled, limit)
  const after = await waits.result
  expect(after.epoch > (epochs.get('wait') ?? 0n), 'whether the epoch after waiting is higher').to.equal(true)
  await group.leave('throw')
  const gone = async () => !(await group.membershipList()).has('throw')
  await given.until('the ghost that nobody waits for is gone', gone, limit)
  await expectMembers('after the restart', [next], ['takeover', 'wait'], GROUP)
}
