import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { openLink } from '../../conformance/kit/proxied-link.ts'
import type { Entry } from '../../spi/index.ts'
import type { Seated } from '../shared/driver.ts'
import { holder } from '../shared/driver-suite.ts'
import { call, commitOf, reading, recorder, until, write } from '../shared/driver-calls.fixture.ts'
import { SESSION_TTL_MS } from './harness.fixture.ts'
import { removal, Stage } from './stage.fixture.ts'

describe('reads and follows on a real ZooKeeper', function () {
  this.timeout(30_000)
  const stage = new Stage()
  stage.prepare()

  describe('reads', () => {
    it('of a scan go by the bytes of the keys, page by page', async () => {
      const id = await stage.session()
      const keys = [
        '/a',
        '/a!',
        '/a!/x',
        '/a/b',
        '/a/b!',
        '/a/b/c',
        '/a/b0',
        '/a0',
        '/\u{10000}',
        '/\ue000',
        '/b/c/d/e',
      ]
      await stage.driver.commit(commitOf(id, 1, ...keys.map((key) => write(key, key))), call())
      const sorted = keys
        .map((key) => Buffer.from(key))
        .sort(Buffer.compare)
        .map(String)
      for (const limit of [1, 2, 3, 100]) {
        const scanned: string[] = []
        for (let from = '/', more = true; more; from = `${scanned.at(-1) ?? ''}\0`) {
          const page = await stage.driver.scan({ from, to: '0', limit, keysOnly: false, at: undefined }, reading())
          more = page.more
          expect(page.entries.length).to.be.at.most(limit)
          scanned.push(...page.entries.map(({ text }) => text))
        }
        expect(scanned).to.deep.equal(sorted)
      }
      const part = await stage.driver.scan(
        { from: '/a/', to: '/a0', limit: 9, keysOnly: true, at: undefined },
        reading(),
      )
      expect(part.entries.map(({ key }) => key)).to.deep.equal(['/a/b', '/a/b!', '/a/b/c', '/a/b0'])
    })
  })

  describe('follows', () => {
    it('tell of commits in their order, and leave out at most what was replaced at once', async () => {
      const id = await stage.session()
      const sink = recorder<Entry>(({ text }) => text)
      await stage.driver.commit(commitOf(id, 1, write('/a', '1')), call())
      const follow = stage.driver.followKey('/a', sink)
      await follow.active
      const told = async (line: string) =>
        until(
          () => sink.lines.at(-1) === line,
          () => sink.lines,
        )
      await stage.driver.commit(commitOf(id, 2, write('/a', '2')), call())
      await told('/a=2')
      await stage.driver.commit(commitOf(id, 3, removal('/a')), call())
      await told('/a=gone')
      await stage.driver.commit(commitOf(id, 4, write('/a', '3'), write('/ab', 'x'), write('/a/b', 'x')), call())
      await told('/a=3')
      expect(sink.lines).to.deep.equal(['reset /a=1', '/a=2', '/a=gone', '/a=3'])
      follow.close()
      await stage.driver.commit(commitOf(id, 5, write('/a', '4')), call())
      expect((await stage.driver.read('/a', reading()))?.text).to.equal('4')
      expect(sink.lines.length).to.equal(4)
    })

    it('of the same path share a watch, and go on when another of them ends', async () => {
      const id = await stage.session()
      const [one, two, below] = [0, 1, 2].map(() => recorder<Entry>(() => 'there'))
      if (one === undefined || two === undefined || below === undefined) throw new Error('no recorder')
      const first = stage.driver.followKey('/a', one)
      await first.active
      await stage.driver.followKey('/a', two).active
      const namespace = stage.driver.followNamespace('/a', below)
      await namespace.active
      first.close()
      namespace.close()
      await stage.driver.commit(commitOf(id, 1, write('/a', '1')), call())
      await until(
        () => two.lines.length === 2,
        () => two.lines,
      )
      expect([one.lines, below.lines]).to.deep.equal([['reset'], ['reset']])
    })

    it('pass over a record that nobody can read', async () => {
      const id = await stage.session()
      const members = recorder<Seated>((seated) => seated.nonce)
      await stage.driver.takeSeat({ kind: 'member', group: 'g', id: 'first' }, holder('first', id), call())
      await stage.driver.followGroup('g', members).active
      await stage.seen((visitor) => visitor.create(`${stage.layout.group('g')}/junk%`, Buffer.from('{}')))
      await stage.driver.takeSeat({ kind: 'member', group: 'g', id: 'm' }, holder('m', id), call())
      await until(
        () => members.lines.includes('m=m'),
        () => members.lines,
      )
    })

    it('never tell of a later commit without an earlier one', async () => {
      const id = await stage.session()
      const present = new Set<string>()
      const torn: string[] = []
      const look = () => {
        if (!Array.from({ length: present.size }, (_, at) => `/all/${at}`).every((key) => present.has(key))) {
          torn.push([...present].join(' '))
        }
      }
      const follow = stage.driver.followNamespace('/all', {
        reset: (all) => {
          present.clear()
          for (const key of all.keys()) present.add(key)
          look()
        },
        changed: (changes) => {
          for (const [key, entry] of changes) if (entry !== undefined) present.add(key)
          look()
        },
        failed: () => undefined,
      })
      const count = 300
      for (let at = 0; at < count; at++) {
        await stage.driver.commit(commitOf(id, at + 1, write(`/all/${at}`, 'x')), call())
      }
      await follow.active
      await until(
        () => present.size === count,
        () => present.size,
      )
      expect(torn).to.deep.equal([])
    })

    it('catch up after a cut with one state of all', async () => {
      const { link, far } = await stage.apart()
      const id = await stage.session()
      const sink = recorder<Entry>(({ text }) => text)
      await far.followKey('/a', sink).active
      link.cut()
      await stage.driver.commit(commitOf(id, 1, write('/a', '1')), call())
      await stage.driver.commit(commitOf(id, 2, write('/a', '2')), call())
      link.heal()
      await until(
        () => sink.lines.includes('reset /a=2'),
        () => sink.lines,
      )
      await link.close()
    })

    it('go over to another server when theirs swallows everything', async () => {
      const link = await openLink([stage.server.endpoint], () => 0.5)
      const far = await stage.open(...link.endpoints, stage.server.endpoint)
      const sink = recorder<Entry>(({ text }) => text)
      await far.followKey('/a', sink).active
      link.blackHole('both')
      await stage.driver.commit(commitOf(await stage.session(), 1, write('/a', '1')), call())
      await until(
        () => sink.lines.includes('reset /a=1'),
        () => sink.lines,
      )
      await link.close()
    })

    it('go on when the session that they stand on has expired', async () => {
      const sink = recorder<Entry>(({ text }) => text)
      const { link, far } = await stage.apart()
      await far.followKey('/a', sink).active
      link.cut()
      await delay(SESSION_TTL_MS + 1500)
      link.heal()
      await stage.driver.commit(commitOf(await stage.session(), 1, write('/a', '1')), call())
      await until(
        () => sink.lines.at(-1)?.endsWith('/a=1') === true,
        () => sink.lines,
      )
      await link.close()
    })

    it('end when the driver is closed', async () => {
      const sink = recorder<Entry>(({ text }) => text)
      await stage.driver.followKey('/a', sink).active
      await stage.driver.close()
      await until(
        () => sink.lines.at(-1)?.startsWith('failed') === true,
        () => sink.lines,
      )
    })
  })
})
