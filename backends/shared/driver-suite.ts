/** What holds for the driver of every store that can do all that the port asks for. */
import { expect } from 'chai'
import type { Entry } from '../../spi/index.ts'
import type { Holder, Seat, Seated, StoreDriver } from './driver.ts'
import { bytes, call, commitOf, failureOf, reading, recorder, until, write } from './driver-calls.fixture.ts'

/** What a test finds: a driver of a cluster that nobody has used. */
export interface DriverStage {
  readonly driver: StoreDriver
  /** Another driver of the same cluster. */
  another(): Promise<StoreDriver>
  /** Opens a session that lasts as long as a test. @returns its id */
  session(of?: StoreDriver): Promise<string>
}

const SEAT: Seat = { kind: 'leader', service: 'controller' }
const ODD_IDS = ['0', 'a/b', '%2F', '../x', '..', '.', '✓ 😀', "'()*", '\u0001', '\ue000']

export function holder(id: string, session: string, nonce = id): Holder {
  return { id, session, nonce, data: bytes('d') }
}

/** @param stage as each test finds it. */
export function driverSuite(stage: () => DriverStage): void {
  describe('sessions', () => {
    it('are renewed until they are ended, and may be ended twice', async () => {
      const { driver } = stage()
      const id = await stage().session()
      expect(await driver.renewSession(id, call())).to.include({ id })
      await driver.endSession(id, call())
      await driver.endSession(id, call())
      expect(await driver.renewSession(id, call())).to.equal(undefined)
    })

    it('of another kind of store are over', async () => {
      const { driver } = stage()
      expect(await driver.renewSession('unheard of', call())).to.equal(undefined)
      await driver.endSession('unheard of', call())
    })
  })

  describe('seats', () => {
    seats(stage)
  })
  describe('commits', () => {
    commits(stage)
  })

  describe('reads', () => {
    it('that may be old do not go back', async () => {
      const { driver } = stage()
      const id = await stage().session()
      for (let number = 1; number <= 20; number++) {
        await driver.commit(commitOf(id, number, write('/a', String(number))), call())
        expect((await driver.read('/a', reading(2000, 'sequential')))?.text).to.equal(String(number))
      }
    })
  })

  describe('follows', () => {
    it('of a namespace, a leader and a group tell of theirs only', async () => {
      const { driver } = stage()
      const id = await stage().session()
      const keys = recorder<Entry>(() => 'there')
      const leader = recorder<Seated>((seated) => seated.id)
      const members = recorder<Seated>((seated) => seated.nonce)
      await driver.followNamespace('/a', keys).active
      await driver.followLeader('controller', leader).active
      await driver.followGroup('g', members).active
      const written = ['/a', '/ab', '/a/b', '/a0'].map((key) => write(key, ''))
      await driver.commit(commitOf(id, 1, ...written), call())
      const seated = await driver.takeSeat(SEAT, holder('x', id), call())
      await driver.takeSeat({ kind: 'leader', service: 'controller/2' }, holder('y', id), call())
      await driver.takeSeat({ kind: 'member', group: 'g', id: 'a/b' }, holder('m', id), call())
      await driver.takeSeat({ kind: 'member', group: 'g/h', id: 'n' }, holder('n', id), call())
      await told(leader, 'controller=x')
      await told(members, 'a/b=m')
      await driver.emptySeat(SEAT, seated.token, call())
      await driver.endSession(id, call())
      await told(leader, 'controller=gone')
      await told(members, 'a/b=gone')
      expect(keys.lines).to.deep.equal(['reset', '/a/b=there'])
      expect(leader.lines).to.deep.equal(['reset', 'controller=x', 'controller=gone'])
      expect(members.lines).to.deep.equal(['reset', 'a/b=m', 'a/b=gone'])
    })
  })
}

function told({ lines }: { readonly lines: readonly string[] }, line: string): Promise<void> {
  return until(
    () => lines.includes(line),
    () => lines,
  )
}

function seats(stage: () => DriverStage): void {
  it('are held by the first, whom everybody finds there', async () => {
    const { driver } = stage()
    const other = await stage().another()
    const [a, b] = [await stage().session(), await stage().session(other)]
    const first = await driver.takeSeat(SEAT, holder('a', a), call())
    expect(first.nonce).to.equal('a')
    expect(await other.takeSeat(SEAT, holder('b', b), call())).to.deep.equal(first)
    expect(await driver.takeSeat(SEAT, holder('a', a), call())).to.deep.equal(first)
    expect(await other.readSeat(SEAT, reading())).to.deep.equal(first)
  })

  it('are emptied by their own incarnation only, and the next one has a greater token', async () => {
    const { driver } = stage()
    const id = await stage().session()
    const first = await driver.takeSeat(SEAT, holder('a', id), call())
    await driver.emptySeat(SEAT, first.token + 1n, call())
    expect(await driver.readSeat(SEAT, reading())).to.deep.equal(first)
    await driver.emptySeat(SEAT, first.token, call())
    expect(await driver.readSeat(SEAT, reading())).to.equal(undefined)
    const second = await driver.takeSeat(SEAT, holder('b', id), call())
    expect(second.token > first.token).to.equal(true)
  })

  it('keep token and session when their data change, for their own incarnation only', async () => {
    const { driver } = stage()
    const id = await stage().session()
    const first = await driver.takeSeat(SEAT, holder('a', id), call())
    const data = new Uint8Array([0, 255])
    expect(await driver.amendSeat(SEAT, first.token + 1n, data, call())).to.equal(false)
    expect(await driver.amendSeat(SEAT, first.token, data, call())).to.equal(true)
    expect(await driver.readSeat(SEAT, reading())).to.deep.equal({ ...first, data })
    await driver.endSession(id, call())
    expect(await driver.readSeat(SEAT, reading())).to.equal(undefined)
  })

  it('are not for sessions that are over', async () => {
    const { driver } = stage()
    const id = await stage().session()
    await driver.endSession(id, call())
    const error = await failureOf(driver.takeSeat(SEAT, holder('a', id), call()))
    expect(error).to.include({ code: 'SESSION_LOST', effect: 'none' })
  })

  it('of one group are listed under their ids, odd ones too, and no others', async () => {
    const { driver } = stage()
    const id = await stage().session()
    for (const group of ['g', 'g/h', 'g%2Fh']) {
      for (const member of ODD_IDS) {
        const seat = { kind: 'member', group, id: member } as const
        await driver.takeSeat(seat, holder(member, id, `${group} ${member}`), call())
      }
    }
    const members = await driver.readGroup('g/h', reading())
    expect([...members.keys()]).to.have.members(ODD_IDS)
    expect([...members.values()].map(({ nonce }) => nonce)).to.have.members(ODD_IDS.map((one) => `g/h ${one}`))
  })
}

function commits(stage: () => DriverStage): void {
  it('write, remove and compare in one step', async () => {
    const { driver } = stage()
    const id = await stage().session()
    const first = await driver.commit(commitOf(id, 1, write('/a', '1'), write('/b', '1')), call())
    if (!first.committed) throw new Error('refused')
    const [a, b] = ['/a', '/b'].map((key) => first.versions.get(key))
    if (a === undefined || b === undefined) throw new Error('no versions')
    const second = await driver.commit(
      commitOf(
        id,
        2,
        { key: '/a', expect: a, become: 'absent' },
        { key: '/b', expect: b, become: 'unchanged' },
        { key: '/c', expect: 'anything', become: 'absent' },
        write('/d', '2', 'absent'),
      ),
      call(),
    )
    if (!second.committed) throw new Error('refused')
    expect([...second.versions.keys()]).to.deep.equal(['/d'])
    const page = await driver.scan({ from: '/', to: '0', limit: 9, keysOnly: false, at: undefined }, reading())
    expect(page.entries.map(({ key, text, version }) => [key, text, version])).to.deep.equal([
      ['/b', '1', b],
      ['/d', '2', second.versions.get('/d')],
    ])
  })

  it('that are refused change nothing and show what stood in the way', async () => {
    const { driver } = stage()
    const id = await stage().session()
    await driver.commit(commitOf(id, 1, write('/a', '1')), call())
    const outcome = await driver.commit(commitOf(id, 2, write('/a', '2', 'absent'), write('/b', '2')), call())
    if (outcome.committed) throw new Error('committed')
    expect(outcome.found.get('/a')?.text).to.equal('1')
    expect(outcome.found.get('/b')).to.equal(undefined)
    expect([...outcome.found.keys()]).to.deep.equal(['/a', '/b'])
    expect(await driver.read('/b', reading())).to.equal(undefined)
    // the slot goes on behind a refusal
    const next = commitOf(id, { number: 3, after: 1 }, write('/a', '3', 'present'))
    expect(await driver.commit(next, call())).to.include({ committed: true })
  })

  it('are fenced by the present token of the service, and by no other number', async () => {
    const { driver } = stage()
    const id = await stage().session()
    const { token } = await driver.takeSeat(SEAT, holder('a', id), call())
    let number = 0
    const fenced = (fence: { service: string; token: bigint }) => {
      number++
      // only the first takes place
      const place = { number, after: Math.min(1, number - 1) }
      return driver.commit({ ...commitOf(id, place, write('/a', String(number))), fence }, call())
    }
    expect(await fenced({ service: 'controller', token })).to.include({ committed: true })
    for (const wrong of [token - 1n, token + 1n, 0n, -1n, 2n ** 64n]) {
      expect(await fenced({ service: 'controller', token: wrong })).to.include({ committed: false, token })
    }
    for (const wrong of [0n, -1n, token]) {
      const outcome = await fenced({ service: 'nobody leads it', token: wrong })
      expect(outcome).to.include({ committed: false, token: undefined })
    }
    expect((await driver.read('/a', reading()))?.text).to.equal('1')
  })

  it('never take the version of another store for one of theirs', async () => {
    const { driver } = stage()
    const id = await stage().session()
    for (const [at, version] of ['0', '-1', '', 'a', '1.5', '99999999999999999999'].entries()) {
      const change = write('/absent', 'x', version as Entry['version'])
      const commit = commitOf(id, { number: at + 1, after: 0 }, change)
      expect(await driver.commit(commit, call())).to.include({ committed: false })
    }
  })

  it('are refused for sessions that are over', async () => {
    const { driver } = stage()
    const id = await stage().session()
    await driver.commit(commitOf(id, 1, write('/a', '1')), call())
    await driver.endSession(id, call())
    const error = await failureOf(driver.commit(commitOf(id, 2, write('/a', '2')), call()))
    expect(error).to.include({ code: 'SESSION_LOST', effect: 'none' })
  })

  it('of as many operations as is promised are taken, and of values as large', async () => {
    const { driver } = stage()
    const id = await stage().session()
    const { token } = await driver.takeSeat(SEAT, holder('a', id), call())
    const { transactions, limits } = driver.capabilities
    const count = transactions === false ? 0 : transactions.maxOps
    const changes = Array.from({ length: count }, (_, at) => write(`/k${at}`, 'x', 'absent'))
    const many = { ...commitOf(id, 1, ...changes), fence: { service: 'controller', token } }
    expect(await driver.commit(many, call())).to.include({ committed: true })
    const become = new Uint8Array(limits.maxValueBytes).fill(7)
    const large = commitOf(id, 2, { key: '/large', expect: 'anything', become })
    expect(await driver.commit(large, call())).to.include({ committed: true })
    expect((await driver.read('/large', reading()))?.bytes).to.deep.equal(become)
  })

  it('whose session is over cannot be found out about any more', async () => {
    const { driver } = stage()
    const id = await stage().session()
    const commit = commitOf(id, 1, write('/a', '1'))
    await driver.commit(commit, call())
    await driver.endSession(id, call())
    const error = await failureOf(driver.outcomeOf(commit, call()))
    expect(error).to.include({ code: 'SESSION_LOST', effect: 'unknown' })
  })
}
