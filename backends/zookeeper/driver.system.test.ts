import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import type { Seat } from '../shared/driver.ts'
import { call, commitOf, failureOf, reading, write } from '../shared/driver-calls.fixture.ts'
import { driverSuite, holder } from '../shared/driver-suite.ts'
import { adminHooks } from './admin.fixture.ts'
import { PROMISES, SESSION_TTL_MS, TICK_MS } from './harness.fixture.ts'
import { persistent, removal, Stage } from './stage.fixture.ts'

const SEAT: Seat = { kind: 'leader', service: 'controller' }
const NOWHERE = '127.0.0.1:1'

describe('the driver on a real ZooKeeper', function () {
  this.timeout(30_000)
  const stage = new Stage()
  stage.prepare()

  driverSuite(() => stage)

  it('promises what it is to promise', () => {
    expect(stage.driver.capabilities).to.deep.equal(PROMISES)
  })

  describe('sessions', () => {
    it('are granted as wished, or not shorter', async () => {
      expect((await stage.driver.openSession(2001, call())).ttlMs).to.equal(2001)
      expect((await stage.driver.openSession(1, call())).ttlMs).to.equal(PROMISES.session.minTtlMs)
    })

    it('longer than the servers allow are a matter of configuration', async () => {
      const error = await failureOf(stage.driver.openSession(100_000, call()))
      expect(error).to.include({ code: 'CONFIG' })
      expect(error['message']).to.include('maxSessionTimeout')
    })

    it('that an administrator has ended are over', async () => {
      const id = await stage.session()
      await adminHooks([stage.server]).expireSession(id)
      expect(await persistent(() => stage.driver.renewSession(id, call()))).to.equal(undefined)
      expect(await failureOf(stage.driver.takeSeat(SEAT, holder('a', id), call()))).to.include({
        code: 'SESSION_LOST',
        effect: 'none',
      })
    })

    it('of others, or of another kind of store, are over', async () => {
      const other = await stage.open()
      for (const id of [await stage.session(), 'no session']) {
        expect(await other.renewSession(id, call())).to.equal(undefined)
        await other.endSession(id, call())
      }
    })

    it('are granted from when they were asked for; renewals fear what the leader may not know', async () => {
      const grant = await stage.driver.openSession(SESSION_TTL_MS, call())
      expect(grant.skewMs).to.equal(0)
      const renewed = await stage.driver.renewSession(grant.id, call())
      expect(renewed?.skewMs).to.be.greaterThan(0)
      await delay(SESSION_TTL_MS)
      // not all of the session, as soon as the checks have come without a wide gap
      for (let skewMs = Infinity; skewMs > SESSION_TTL_MS / 2; ) {
        await delay(TICK_MS)
        skewMs = (await stage.driver.renewSession(grant.id, call()))?.skewMs ?? 0
        expect(skewMs).to.be.at.least(TICK_MS / 2)
      }
    })

    it('that nobody knows to be opened do not stay', async () => {
      const before = await adminHooks([stage.server]).usage()
      const abort = new AbortController()
      const opening = failureOf(stage.driver.openSession(SESSION_TTL_MS, { signal: abort.signal, timeoutMs: 5000 }))
      abort.abort(new Error('given up'))
      await opening
      while ((await adminHooks([stage.server]).usage()).sessions > before.sessions) await delay(20)
    })
  })

  describe('seats', () => {
    it('with a record that nobody can read are an error, not an empty seat', async () => {
      await stage.seen((visitor) => visitor.create(stage.layout.leader('controller'), Buffer.from('{}')))
      expect(await failureOf(stage.driver.readSeat(SEAT, reading()))).to.include({ code: 'CORRUPTED' })
    })

    it('are shown to others as JSON', async () => {
      await stage.driver.takeSeat(SEAT, holder('a', await stage.session()), call())
      const stored = await stage.seen((visitor) => visitor.data(`/${stage.clusterId}/leader/controller`))
      expect(JSON.parse(String(stored))).to.include({ id: 'a', nonce: 'a', text: 'd' })
    })
  })

  describe('the tree', () => {
    it('shows others what they would look for', async () => {
      await stage.driver.commit(commitOf(await stage.session(), 1, write('/brokers/ids/0', 'here')), call())
      expect(String(await stage.seen((visitor) => visitor.data(`/${stage.clusterId}/kv/brokers/ids/0`)))).to.equal(
        'here',
      )
    })

    it('keeps an empty value and none apart, over a restart too', async () => {
      await stage.driver.commit(commitOf(await stage.session(), 1, write('/a/b', '')), call())
      const both = async () => [
        (await stage.driver.read('/a', reading()))?.text,
        (await stage.driver.read('/a/b', reading()))?.text,
      ]
      expect(await both()).to.deep.equal([undefined, ''])
      await stage.server.kill()
      await stage.server.restart()
      expect(await persistent(both)).to.deep.equal([undefined, ''])
    })

    it('does not keep what is only there for what has gone', async () => {
      const id = await stage.session()
      await stage.driver.commit(commitOf(id, 1, write('/a/b/c', '1'), write('/a/d', '1')), call())
      await stage.driver.commit(commitOf(id, 2, removal('/a/b/c')), call())
      expect(await stage.seen((visitor) => visitor.children(`${stage.layout.values}/a`))).to.deep.equal(['d'])
      await stage.driver.commit(commitOf(id, 3, write('/a', '2'), removal('/a/d')), call())
      expect(await stage.seen((visitor) => visitor.children(stage.layout.values))).to.deep.equal(['a'])
      await stage.driver.commit(commitOf(id, 4, write('/a/e', '1')), call())
      await stage.driver.commit(commitOf(id, 5, removal('/a')), call())
      expect((await stage.driver.read('/a/e', reading()))?.text).to.equal('1')
      expect(await stage.driver.read('/a', reading())).to.equal(undefined)
      await stage.driver.commit(commitOf(id, 6, removal('/a/e')), call())
      expect(await stage.seen((visitor) => visitor.children(stage.layout.values))).to.deep.equal([])
    })

    it('is made anew when an administrator has removed it', async () => {
      const id = await stage.session()
      for (const guard of stage.layout.furniture.filter((path) => path.includes('/guard/'))) {
        await stage.seen((visitor) => visitor.remove(guard))
      }
      expect(await stage.driver.commit(commitOf(id, 1, write('/a', '1')), call())).to.include({ committed: true })
      await stage.driver.takeSeat(SEAT, holder('a', id), call())
    })

    it('may begin below a path, which is made', async () => {
      const other = await stage.drivers.open([stage.server.endpoint], {
        host: { clusterId: stage.clusterId },
        chroot: '/teams/billing',
      })
      await other.commit(commitOf(await stage.session(other), 1, write('/a', '1')), call())
      expect(String(await stage.seen((visitor) => visitor.data(`/teams/billing/${stage.clusterId}/kv/a`)))).to.equal(
        '1',
      )
    })

    it('belongs to the user who makes it, if there is one', async () => {
      const mine = await stage.drivers.open([stage.server.endpoint], {
        host: { clusterId: 'mine' },
        digest: 'me:secret',
      })
      await mine.commit(commitOf(await stage.session(mine), 1, write('/a', '1')), call())
      const stranger = stage.drivers.open([stage.server.endpoint], { host: { clusterId: 'mine' }, digest: 'me:wrong' })
      expect(await failureOf(stranger)).to.include({ code: 'AUTHORIZATION', effect: 'none' })
      const friend = await stage.drivers.open([stage.server.endpoint], {
        host: { clusterId: 'mine' },
        digest: 'me:secret',
      })
      expect((await friend.read('/a', reading()))?.text).to.equal('1')
    })
  })

  describe('servers', () => {
    it('that are dead are passed over', async () => {
      const other = await stage.open(NOWHERE, stage.server.endpoint)
      expect(await other.read('/a', reading())).to.equal(undefined)
      expect(await other.commit(commitOf(await stage.session(other), 1, write('/a', '1')), call())).to.include({
        committed: true,
      })
    })

    it('that cannot be reached have done nothing', async () => {
      const { link, far } = await stage.apart()
      const id = await stage.session(far)
      link.cut()
      // the first may meet the connection as it breaks
      await failureOf(far.read('/a', reading(500)))
      const error = await failureOf(far.commit(commitOf(id, 1, write('/a', '1')), call(500)))
      expect(error).to.include({ code: 'CONNECTION', effect: 'none', retriable: true })
      expect(await failureOf(stage.drivers.open([NOWHERE]))).to.include({ code: 'CONNECTION', effect: 'none' })
      await link.close()
    })

    it('that are stopped let calls run out of time', async () => {
      const { link, far } = await stage.apart()
      link.blackHole('both')
      expect(await failureOf(far.read('/a', reading(300)))).to.include({ code: 'TIMEOUT', effect: 'none' })
      await link.close()
    })

    it('are asked nothing once the driver is closed', async () => {
      await stage.driver.close()
      expect(await failureOf(stage.driver.read('/a', reading()))).to.include({ code: 'CLOSED', effect: 'none' })
    })
  })
})
