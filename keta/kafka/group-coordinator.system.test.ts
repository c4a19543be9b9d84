import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { joinGroupV7 } from '@platformatic/kafka'
import { expect } from 'chai'
import { pauseProcess } from '../../conformance/kit/pause-process.ts'
import { type KafkaCluster, startKafka } from '../../test-servers/kafka.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import type { KafkaClient } from './client/client.ts'
import { clientOf } from './client/test-cluster.fixture.ts'
import { GroupError, toGroupError } from './group-errors.ts'
import type { MemberNews, MemberOrder, MemberSettings } from './group-member.fixture.ts'

const PROGRAM = fileURLToPath(new URL('./group-member.fixture.ts', import.meta.url))
const PATIENCE_MS = 60_000
/** Of stock brokers: whoever is waited for shorter than this was not waited for at all. */
const SESSION_MS = 6_000
const IS_SOAK = process.env['KETA_SCALE'] === 'full'

/** A broker as it is shipped waits three seconds for more members to join an empty group. */
const NO_WAIT = { 'group.initial.rebalance.delay.ms': '0' }

for (const version of ['3.9', '4'] as const) {
  describe(`a cluster as a group of Kafka ${version} with the session times it is shipped with`, function () {
    this.timeout(180_000)
    let kafka: KafkaCluster
    let stop: () => Promise<void> = () => Promise.resolve()
    let team: Team

    before(async function () {
      kafka = await provideOrSkip(this, () => startKafka({ version, stock: true, properties: NO_WAIT }))
      stop = () => kafka.stop()
    })
    after(() => stop())
    beforeEach(async () => {
      team = new Team(kafka, `team-${Date.now()}`)
      for (const id of [1, 2, 3]) team.start(id)
      await team.agreed([1, 2, 3])
    })
    afterEach(() => team.end())

    it('agrees on one leader', async () => {
      const { leader } = await team.agreed([1, 2, 3])
      expect(leader).to.be.oneOf([1, 2, 3])
    })

    it('keeps its leader when others join and leave', async () => {
      const { leader = 0 } = await team.incumbent()
      team.start(4)
      expect(await team.agreed([1, 2, 3, 4])).to.include({ leader })
      const [other = 0] = [1, 2, 3].filter((id) => id !== leader)
      const asked = Date.now()
      await team.leave(other)
      const rest = [1, 2, 3, 4].filter((id) => id !== other)
      const after = await team.agreed(rest)
      expect(after).to.include({ leader })
      expect(after.at - asked).to.be.lessThan(SESSION_MS)
    })

    it('has a new leader long before the session of the old one ends, once it was killed and taken out', async () => {
      const { leader = 0 } = await team.incumbent()
      const [first = 0, second = 0] = [1, 2, 3].filter((id) => id !== leader)
      await team.kill(leader)
      const killed = Date.now()
      team.order(first, { do: 'expel', memberId: leader })
      team.order(second, { do: 'expel', memberId: leader })
      const next = await team.agreed([first, second].sort())
      expect(next.leader).to.be.oneOf([first, second])
      expect(next.at - killed).to.be.lessThan(SESSION_MS)
    })

    // What does not depend on the version is tried on both at length only.
    if (version !== '3.9' && !IS_SOAK) return

    it('has a new leader when the session of the old one has ended, if nobody takes it out', async () => {
      const { leader = 0 } = await team.incumbent()
      const killed = Date.now()
      await team.kill(leader)
      const next = await team.agreed([1, 2, 3].filter((id) => id !== leader))
      // Waiting for its place in the next generation would take as long again.
      expect(next.at - killed).to.be.within(4_000, 11_500)
    })

    it('takes the lead from one that leaves at once', async () => {
      const { leader = 0 } = await team.incumbent()
      const asked = Date.now()
      await team.leave(leader)
      const next = await team.agreed([1, 2, 3].filter((id) => id !== leader))
      expect(next.leader).not.to.equal(leader)
      expect(next.at - asked).to.be.lessThan(SESSION_MS)
    })

    it('has a leader that stood still come back as a follower', async () => {
      const { leader = 0 } = await team.incumbent()
      const [first = 0, second = 0] = [1, 2, 3].filter((id) => id !== leader)
      team.pause(leader)
      team.order(first, { do: 'expel', memberId: leader })
      const next = await team.agreed([first, second])
      team.order(next.leader ?? 0, { do: 'announce', ledEpoch: 2 })
      team.resume(leader)
      expect(await team.agreed([1, 2, 3])).to.include({ leader: next.leader })
    })

    it('is not disturbed by a member that dies while a new one joins', async () => {
      const { leader = 0 } = await team.incumbent()
      const [first = 0, second = 0] = [1, 2, 3].filter((id) => id !== leader)
      await team.kill(second)
      const late = team.start(4)
      // The joins of the others wait for the dead one now.
      await team.heard(late, ({ log }) => log === 'joins')
      team.order(first, { do: 'expel', memberId: second })
      expect(await team.agreed([leader, first, 4].sort())).to.include({ leader })
    })

    it('survives a restart of the broker with the same leader', async () => {
      const { leader } = await team.incumbent()
      await kafka.brokers[0]?.kill()
      await kafka.brokers[0]?.restart()
      team.start(4)
      expect(await team.agreed([1, 2, 3, 4])).to.include({ leader })
    })

    it('refuses the younger of two members with one id', async () => {
      const { leader } = await team.incumbent()
      const twin = team.startTwin(2)
      const news = await team.heard(twin, ({ refused }) => refused?.length === 1)
      expect(news).to.deep.include({ leader, members: [1, 2, 3], refused: [2] })
      await twin.end()
    })

    it('says what to change when another program uses the group', async () => {
      const client = clientOf(kafka)
      const used = new Team(kafka, `used-${Date.now()}`)
      try {
        await joinAsAnother(client, used.groupId)
        const { failure } = await used.heard(used.start(1), (news) => news.failure !== undefined)
        expect(failure?.code).to.equal('PROTOCOL')
        expect(failure?.message).to.include('cluster.group.id').and.include(used.groupId)
      } finally {
        await used.end()
        await client.close()
      }
    })

    it('says what to change when the broker does not allow the session timeout', async () => {
      const member = team.start(5, 1_000)
      const { failure } = await team.heard(member, (news) => news.failure !== undefined)
      expect(failure?.code).to.equal('PROTOCOL')
      expect(failure?.message).to.include('group.min.session.timeout.ms').and.include('1000 ms')
    })
  })
}

describe('a cluster as a group of three brokers', function () {
  this.timeout(300_000)

  it('keeps its leader when the coordinator of the group dies', async function () {
    const kafka = await provideOrSkip(this, () => startKafka({ brokers: 3 }))
    const team = new Team(kafka, 'moved')
    try {
      for (const id of [1, 2, 3]) team.start(id)
      const { leader } = await team.incumbent()
      for (const broker of kafka.brokers.slice(0, IS_SOAK ? 3 : 2)) {
        await broker.kill()
        team.start(4)
        expect(await team.agreed([1, 2, 3, 4])).to.include({ leader })
        await team.leave(4)
        expect(await team.agreed([1, 2, 3])).to.include({ leader })
        await broker.restart()
        await kafka.ready()
      }
    } finally {
      await team.end()
      await kafka.stop()
    }
  })
})

async function joinAsAnother(client: KafkaClient, groupId: string): Promise<void> {
  const times = { sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 60_000 }
  const connection = await client.toCoordinator(groupId, 'another program', 20_000)
  const join = async (memberId: string): Promise<unknown> =>
    joinGroupV7.api.async(
      connection,
      groupId,
      times.sessionTimeoutMs,
      times.rebalanceTimeoutMs,
      memberId,
      null,
      'another',
      [{ name: 'its protocol', metadata: Buffer.from('metadata') }],
    )
  const refusal = await join('').catch((error: unknown) => toGroupError(error, 'joining', { groupId, ...times }))
  await join(refusal instanceof GroupError ? (refusal.kafkaId ?? '') : '')
}

/** Processes that are members of one group. */
class Team {
  readonly #members = new Map<number, Member>()
  readonly #kafka: KafkaCluster
  readonly groupId: string
  /** What is waited for; asked again with every news of any member. */
  readonly #checks = new Set<() => void>()

  constructor(kafka: KafkaCluster, groupId: string) {
    this.#kafka = kafka
    this.groupId = groupId
  }

  start(memberId: number, sessionTimeoutMs?: number): Member {
    const member = this.startTwin(memberId, sessionTimeoutMs)
    this.#members.set(memberId, member)
    return member
  }

  startTwin(memberId: number, sessionTimeoutMs?: number): Member {
    const bootstrapServers = this.#kafka.bootstrapServers.split(',').map((address) => {
      const [host = '', port] = address.split(':')
      return { host, port: Number(port) }
    })
    const rest = sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }
    return new Member({ bootstrapServers, groupId: this.groupId, memberId, ...rest }, () => {
      for (const check of this.#checks) check()
    })
  }

  /**
   * The newest assignment, once all of these have it and it holds just them; `at` is when the last one got it.
   * @param later only one of a later generation
   */
  async agreed(ids: readonly number[], later = 0): Promise<MemberNews> {
    const wanted = [...ids].sort((a, b) => a - b)
    const all = await this.when(`all of ${wanted.join()} in one generation`, () => {
      const newest = wanted.map((id) => this.#member(id).assignments.at(-1))
      const [first] = newest
      const isSame = (news: MemberNews | undefined): boolean =>
        news?.members?.join() === wanted.join() && news.generation === first?.generation
      return newest.every(isSame) && (first?.generation ?? 0) > later ? newest : undefined
    })
    expect(new Set(all.map((news) => news?.leader)).size, 'leaders').to.equal(1)
    return { ...all[0], at: Math.max(...all.map((news) => news?.at ?? 0)) }
  }

  /** The leader of the first generation of all three leads an epoch, as the node that claims does. */
  async incumbent(): Promise<MemberNews> {
    const { leader = 0, generation = 0 } = await this.agreed([1, 2, 3])
    this.order(leader, { do: 'announce', ledEpoch: 1 })
    return this.agreed([1, 2, 3], generation)
  }

  /** What `find` finds, now or after news to come. */
  when<Found>(what: string, find: () => Found | undefined): Promise<Found> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#checks.delete(check)
        const heard = [...this.#members].map(([id, { news }]) => `${id}: ${JSON.stringify(news.slice(-12))}`)
        reject(new Error(`waited in vain for ${what}; heard\n${heard.join('\n')}`))
      }, PATIENCE_MS)
      const check = (): void => {
        const found = find()
        if (found === undefined) return
        this.#checks.delete(check)
        clearTimeout(timer)
        resolve(found)
      }
      this.#checks.add(check)
      check()
    })
  }

  heard(member: Member, isMeant: (news: MemberNews) => boolean): Promise<MemberNews> {
    return this.when('news', () => member.news.find(isMeant))
  }

  order(memberId: number, order: MemberOrder): void {
    this.#member(memberId).process.send(order)
  }

  pause(memberId: number): void {
    pauseProcess(this.#member(memberId).process.pid ?? expect.fail('it was not started'))
  }

  resume(memberId: number): void {
    this.#member(memberId).process.kill('SIGCONT')
  }

  async kill(memberId: number): Promise<void> {
    await this.#member(memberId).end()
    this.#members.delete(memberId)
  }

  async leave(memberId: number): Promise<void> {
    this.order(memberId, { do: 'leave' })
    await this.heard(this.#member(memberId), ({ left }) => left === true)
    await this.kill(memberId)
  }

  async end(): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => member.end()))
  }

  #member(memberId: number): Member {
    const member = this.#members.get(memberId)
    if (member === undefined) throw new Error(`no member ${memberId}`)
    return member
  }
}

class Member {
  readonly process: ChildProcess
  readonly news: MemberNews[] = []

  constructor(settings: MemberSettings, onNews: () => void) {
    this.process = fork(PROGRAM, [JSON.stringify(settings)], { execArgv: ['--import', 'tsx'] })
    this.process.on('message', (news: MemberNews) => {
      this.news.push(news)
      onNews()
    })
  }

  get assignments(): readonly MemberNews[] {
    return this.news.filter(({ generation }) => generation !== undefined)
  }

  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const gone = new Promise((resolve) => {
      this.process.once('exit', resolve)
    })
    this.process.kill('SIGKILL')
    await gone
  }
}
