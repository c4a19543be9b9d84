import { expect } from 'chai'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Entry, type Storage } from '../../spi/index.ts'
import { caught } from './caught.fixture.ts'
import { deferred } from './deferred.ts'
import type { Follow, FollowSink } from './driver.ts'
import { type FaultyClient, makeFaultyClient, makeHost } from './faulty-store.fixture.ts'
import { RegistryClient } from './registry-client.ts'
import { StorageClient } from './storage-client.ts'

/** What a listener was told: values, or key sets, as text. */
interface Recorder {
  readonly told: string[]
  valueChanged(value: string | undefined, entry: Entry | undefined): void | Promise<void>
  keySetChanged(names: ReadonlySet<string>): void | Promise<void>
}

describe('RegistryClient', () => {
  let client: FaultyClient
  let storage: Storage
  let registry: RegistryClient
  /** Of all follows: while true, what they would tell is kept back. */
  let lagging: boolean
  let keptBack: (() => void)[]
  let follows: number
  let reads: number

  beforeEach(async () => {
    client = await makeFaultyClient(makeHost())
    const { driver } = client
    lagging = false
    keptBack = []
    follows = 0
    reads = 0
    const followKey = driver.followKey.bind(driver)
    driver.followKey = (key, sink) => counted(followKey(key, lazy(sink)))
    const followNamespace = driver.followNamespace.bind(driver)
    driver.followNamespace = (namespace, sink) => counted(followNamespace(namespace, lazy(sink)))
    const read = driver.read.bind(driver)
    driver.read = (key, call) => {
      reads++
      return read(key, call)
    }
    storage = new StorageClient(client.kernel)
    registry = new RegistryClient(client.kernel)
  })

  afterEach(async () => {
    await registry.close()
    await client.close()
  })

  function counted(follow: Follow): Follow {
    follows++
    let open = true
    return {
      active: follow.active,
      close() {
        if (open) follows--
        open = false
        follow.close()
      },
    }
  }

  function lazy(sink: FollowSink<Entry>): FollowSink<Entry> {
    const later = (tell: () => void) => {
      if (lagging || keptBack.length > 0) keptBack.push(tell)
      else tell()
    }
    return {
      reset: (all) => later(() => sink.reset(all)),
      changed: (changes) => later(() => sink.changed(changes)),
      failed: (error) => later(() => sink.failed(error)),
    }
  }

  /** Tells so much of what was kept back, by default all, and what follows from that. */
  async function catchUp(count = Infinity): Promise<void> {
    for (let n = 0; n < count && keptBack.length > 0; n++) {
      keptBack.shift()!()
      await settled()
    }
    if (keptBack.length === 0) lagging = false
  }

  async function settled(): Promise<void> {
    for (let n = 0; n < 8; n++) await nextTurn()
  }

  function recorder(before: (what: string) => void | Promise<void> = () => undefined): Recorder {
    const told: string[] = []
    return {
      told,
      valueChanged(value, entry) {
        const what = value ?? (entry === undefined ? 'gone' : 'bytes')
        told.push(what)
        return before(what)
      },
      keySetChanged(names) {
        const what = [...names].sort().join()
        told.push(what)
        return before(what)
      },
    }
  }

  describe('value listeners', () => {
    it('are told of every kind of change, and of nothing that was there before', async () => {
      await storage.put('/a', '0')
      const a = recorder()
      await registry.addValueChangeListener('/a', a)
      await settled()
      expect(a.told).to.deep.equal([])
      await storage.update('/a', '1')
      await settled()
      await storage.delete('/a')
      await settled()
      await storage.put('/a', new Uint8Array([255]))
      await settled()
      await storage.put('/ab', 'other')
      await settled()
      expect(a.told).to.deep.equal(['1', 'gone', 'bytes'])
    })

    it('are told the present state first if they want, once, also of a key that is absent', async () => {
      const [a, b] = [recorder(), recorder()]
      await registry.addValueChangeListener('/a', a, { initial: true })
      await settled()
      await storage.put('/a', '1')
      await settled()
      await registry.addValueChangeListener('/a', b, { initial: true })
      await settled()
      expect([a.told, b.told]).to.deep.equal([['gone', '1'], ['1']])
    })

    it('are one after another, with the newest state, and never the same twice', async () => {
      const gate = deferred<undefined>()
      const slow = recorder(() => gate.promise)
      await registry.addValueChangeListener('/a', slow)
      await storage.put('/a', '1')
      await settled()
      for (const value of ['2', '3', '4']) await storage.update('/a', value)
      await settled()
      expect(slow.told).to.deep.equal(['1'])
      gate.resolve(undefined)
      await settled()
      expect(slow.told).to.deep.equal(['1', '4'])
    })

    it('are not told of a key that was there for a moment while they were busy', async () => {
      const gate = deferred<undefined>()
      const slow = recorder(() => gate.promise)
      await registry.addValueChangeListener('/a', slow, { initial: true })
      await settled()
      await storage.put('/a', '1')
      await storage.delete('/a')
      await settled()
      gate.resolve(undefined)
      await settled()
      expect(slow.told).to.deep.equal(['gone'])
    })

    it('do not hurt each other', async () => {
      const bad = recorder(() => {
        throw new Error('bad')
      })
      const good = recorder()
      for (const listener of [bad, good]) await registry.addValueChangeListener('/a', listener)
      await storage.put('/a', '1')
      await settled()
      await storage.update('/a', '2')
      await settled()
      expect([bad.told, good.told]).to.deep.equal([
        ['1', '2'],
        ['1', '2'],
      ])
    })

    it('count once for a key, and for each key', async () => {
      const a = recorder()
      await Promise.all([
        registry.addValueChangeListener('/a', a),
        registry.addValueChangeListener('/a', a, { initial: true }),
        registry.addValueChangeListener('/b', a),
      ])
      await storage.put('/a', '1')
      await storage.put('/b', '2')
      await settled()
      expect(a.told.sort()).to.deep.equal(['1', '2'])
      await registry.removeValueChangeListener('/a', a)
      await storage.update('/a', '3')
      await storage.update('/b', '4')
      await settled()
      expect(a.told.sort()).to.deep.equal(['1', '2', '4'])
    })

    it('are silent once removed, from within a call too; an unknown one is none of our business', async () => {
      const a = recorder()
      const own: Recorder = recorder(() => registry.removeValueChangeListener('/a', own))
      await registry.addValueChangeListener('/a', a)
      await registry.addValueChangeListener('/a', own)
      await storage.put('/a', '1')
      await settled()
      await registry.removeValueChangeListener('/a', a)
      await registry.removeValueChangeListener('/a', a)
      await registry.removeValueChangeListener('/none', a)
      await storage.update('/a', '2')
      await settled()
      expect([a.told, own.told]).to.deep.equal([['1'], ['1']])
      expect(follows).to.equal(0)
    })

    it('may call the SPI and wait for it', async () => {
      const other = recorder()
      const busy: Recorder = recorder(async (what) => {
        if (what !== '1') return
        await registry.addValueChangeListener('/a', other, { initial: true })
        await storage.update('/a', '2')
        await registry.removeKeySetChangeListener('/', busy)
      })
      await registry.addValueChangeListener('/a', busy)
      await registry.addKeySetChangeListener('/', busy)
      await storage.put('/a', '1')
      await settled()
      expect(busy.told).to.include('2')
      expect(other.told.at(-1)).to.equal('2')
    })

    it('share one follow per key', async () => {
      const all = Array.from({ length: 500 }, () => recorder())
      await Promise.all(all.map((listener) => registry.addValueChangeListener('/a', listener)))
      expect(follows).to.equal(1)
      await Promise.all(all.map((listener, n) => registry.addValueChangeListener(`/many/${n}`, listener)))
      expect(follows).to.equal(501)
      await storage.put('/a', '1')
      await settled()
      expect(all.every(({ told }) => told.join() === '1')).to.equal(true)
    })
  })

  describe('a late-comer on a follow that lags', () => {
    beforeEach(async () => {
      await storage.put('/a', '0')
      await registry.addValueChangeListener('/a', recorder())
      await registry.addKeySetChangeListener('/n', recorder())
    })

    it('is not told what was acknowledged before it came', async () => {
      lagging = true
      await storage.update('/a', '1')
      await storage.update('/a', '2')
      const late = recorder()
      await registry.addValueChangeListener('/a', late)
      await catchUp()
      expect(late.told).to.deep.equal([])
      await storage.update('/a', '3')
      await settled()
      expect(late.told).to.deep.equal(['3'])
    })

    it('is told the state of now as the first one, not that of the follow', async () => {
      lagging = true
      await storage.update('/a', '1')
      const late = recorder()
      await registry.addValueChangeListener('/a', late, { initial: true })
      await settled()
      expect(late.told).to.deep.equal(['1'])
      await catchUp()
      expect(late.told).to.deep.equal(['1'])
    })

    it('is told each later change, in order, while the follow catches up', async () => {
      lagging = true
      await storage.update('/a', '1')
      const late = recorder()
      await registry.addValueChangeListener('/a', late)
      await storage.update('/a', '2')
      await catchUp(1)
      expect(late.told).to.deep.equal(['2'])
      await storage.update('/a', '3')
      await catchUp()
      expect(late.told).to.deep.equal(['2', '3'])
    })

    it('is not fooled by a key that was absent before and is absent again', async () => {
      await storage.delete('/a')
      await settled()
      lagging = true
      await storage.put('/a', 'between')
      await storage.delete('/a')
      const late = recorder()
      await registry.addValueChangeListener('/a', late)
      await catchUp()
      expect(late.told).to.deep.equal([])
      await storage.put('/a', '1')
      await settled()
      await storage.delete('/a')
      await settled()
      expect(late.told).to.deep.equal(['1', 'gone'])
    })

    it('learns what the follow told while it was still reading', async () => {
      const { driver } = client
      const gate = deferred<undefined>()
      const { read } = driver
      driver.read = async (key, call) => {
        const entry = await read(key, call)
        await gate.promise
        return entry
      }
      const late = recorder()
      const adding = registry.addValueChangeListener('/a', late, { initial: true })
      await settled()
      await storage.update('/a', '1')
      await settled()
      gate.resolve(undefined)
      await adding
      await settled()
      expect(late.told.at(-1)).to.equal('1')
    })

    it('costs reads only until it has caught up', async () => {
      lagging = true
      await storage.update('/a', '1')
      await Promise.all(Array.from({ length: 50 }, () => registry.addValueChangeListener('/a', recorder())))
      await catchUp()
      expect(reads).to.be.below(5)
      const before = reads
      await storage.update('/a', '2')
      await settled()
      expect(reads).to.equal(before)
    })

    it('learns the last state whatever happens while it is being added', async () => {
      for (let n = 0; n < 100; n++) {
        const late = recorder()
        const write = storage.update('/a', `${n}`)
        await registry.addValueChangeListener('/a', late, { initial: true })
        await write
        await settled()
        expect(late.told.at(-1)).to.equal(`${n}`)
        expect(late.told.length).to.be.within(1, 2)
      }
    })

    it('of a namespace has the same rights', async () => {
      lagging = true
      await storage.put('/n/x', '')
      const [late, first] = [recorder(), recorder()]
      await registry.addKeySetChangeListener('/n', late)
      await registry.addKeySetChangeListener('/n', first, { initial: true })
      await storage.put('/n/y', '')
      await catchUp()
      expect([late.told, first.told]).to.deep.equal([['x,y'], ['x', 'x,y']])
    })
  })

  describe('key set listeners', () => {
    it('are told when the set of children changes, not when values do', async () => {
      const a = recorder()
      await registry.addKeySetChangeListener('/a', a, { initial: true })
      await settled()
      for (const change of [
        () => storage.put('/a/b/c', ''),
        () => storage.put('/a/b/d', ''),
        () => storage.update('/a/b/d', 'x'),
        () => storage.put('/a/bc', ''),
        () => storage.put('/a', ''),
        () => storage.put('/ab', ''),
        () => storage.delete('/a/b/c'),
        () => storage.delete('/a/b/d'),
      ]) {
        await change()
        await settled()
      }
      expect(a.told).to.deep.equal(['', 'b', 'b,bc', 'bc'])
    })

    it('end with the exact set after a burst', async () => {
      const a = recorder()
      await registry.addKeySetChangeListener('/', a)
      await Promise.all(Array.from({ length: 1_000 }, (_, n) => storage.put(`/${n}`, '')))
      await settled()
      expect(a.told.at(-1)?.split(',')).to.have.length(1_000)
    })
  })

  describe('its life', () => {
    it('refuses bad names and listeners before anything is asked', async () => {
      const a = recorder()
      expect((await caught(registry.addValueChangeListener('a', a))).code).to.equal('INVALID_KEY')
      expect((await caught(registry.addKeySetChangeListener('/a/', a))).code).to.equal('INVALID_KEY')
      const wrong = {} as unknown as Recorder
      expect((await caught(registry.addValueChangeListener('/a', wrong))).code).to.equal('INVALID_ARGUMENT')
      expect(follows).to.equal(0)
    })

    it('gives up on abort and at the time limit, and leaves nothing behind', async () => {
      const { driver } = client
      const follow = driver.followKey
      const stuck: Follow = { active: deferred<never>().promise, close: () => undefined }
      driver.followKey = () => counted(stuck)
      const a = recorder()
      expect((await caught(registry.addValueChangeListener('/a', a, { timeoutMs: 10 }))).code).to.equal('TIMEOUT')
      const abort = new AbortController()
      const pending = registry.addValueChangeListener('/a', a, { signal: abort.signal })
      abort.abort(new Error('enough'))
      expect(await pending.catch((error: unknown) => error)).to.equal(abort.signal.reason)
      expect(follows).to.equal(0)
      driver.followKey = follow
      await registry.addValueChangeListener('/a', a)
      await storage.put('/a', '1')
      await settled()
      expect(a.told).to.deep.equal(['1'])
    })

    it('rejects what the store refuses, and asks again the next time', async () => {
      const { driver } = client
      const follow = driver.followKey
      const refusal = new Error('forbidden')
      driver.followKey = (_key, sink) => {
        const active = Promise.reject(refusal)
        active.catch(() => undefined)
        queueMicrotask(() => sink.failed(refusal))
        return { active, close: () => undefined }
      }
      const a = recorder()
      expect(await caught(registry.addValueChangeListener('/a', a))).to.include({ code: 'INTERNAL', cause: refusal })
      driver.followKey = follow
      await registry.addValueChangeListener('/a', a)
      expect(follows).to.equal(1)
    })

    it('ends with close: no call, no follow, CLOSED', async () => {
      const a = recorder()
      await registry.addValueChangeListener('/a', a)
      const write = storage.put('/a', '1')
      const closing = registry.close()
      await Promise.all([closing, registry.close(), write])
      const { length } = a.told
      await settled()
      expect(a.told).to.have.length(length)
      expect(follows).to.equal(0)
      expect((await caught(registry.addValueChangeListener('/a', a))).code).to.equal('CLOSED')
      expect((await caught(registry.removeValueChangeListener('/a', a))).code).to.equal('CLOSED')
      expect((await caught(registry.init())).code).to.equal('CLOSED')
    })

    it('was initialised by whoever gave it out', async () => {
      expect((await caught(registry.init())).code).to.equal('INVALID_ARGUMENT')
    })
  })
})
