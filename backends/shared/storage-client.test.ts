import { expect } from 'chai'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  type Capabilities,
  CoordinationError,
  type Entry,
  modify,
  type Storage,
  type StorageOp,
  versionOf,
} from '../../spi/index.ts'
import type { StoreHost } from '../memory/store-host.ts'
import { caught } from './caught.fixture.ts'
import { deferred } from './deferred.ts'
import { type CommitFault, type FaultyClient, makeFaultyClient, makeHost } from './faulty-store.fixture.ts'
import { StorageClient } from './storage-client.ts'

describe('StorageClient', () => {
  let host: StoreHost
  let client: FaultyClient
  let storage: Storage
  let clients: FaultyClient[]

  beforeEach(async () => {
    host = makeHost()
    clients = []
    client = await another()
    storage = new StorageClient(client.kernel)
  })

  afterEach(async () => {
    await Promise.all(clients.map((one) => one.close()))
  })

  async function another(capabilities?: Partial<Capabilities>): Promise<FaultyClient> {
    const made = await makeFaultyClient(host, capabilities)
    clients.push(made)
    return made
  }

  function faults(...all: CommitFault[]): void {
    client.driver.fault = () => all.shift() ?? 'none'
  }

  async function collect(entries: AsyncIterable<Entry>): Promise<string[]> {
    const keys: string[] = []
    for await (const { key } of entries) keys.push(key)
    return keys
  }

  describe('calls', () => {
    it('keep the contract of each operation', async () => {
      expect(await storage.fetch('/a')).to.equal(undefined)
      const created = await storage.put('/a', '1')
      const exists = await caught(storage.put('/a', '2'))
      expect(exists).to.include({ code: 'KEY_EXISTS', key: '/a', effect: 'none' })
      expect(exists).not.to.have.property('index')
      expect(exists.current).to.include({ text: '1', version: created })
      expect(await storage.fetchEntry('/a')).to.include({ text: '1', version: created })
      expect((await caught(storage.update('/b', 'x'))).code).to.equal('KEY_NOT_FOUND')
      const updated = await storage.update('/a', '2', { ifVersion: created })
      expect((await caught(storage.update('/a', '3', { ifVersion: created }))).current).to.include({ version: updated })
      expect((await caught(storage.delete('/a', { ifVersion: created }))).code).to.equal('VERSION_MISMATCH')
      expect(await storage.delete('/a', { ifVersion: updated })).to.equal(true)
      expect(await storage.delete('/a', { ifVersion: updated })).to.equal(false)
      expect(await storage.delete('/a')).to.equal(false)
    })

    it('check everything before anything is sent', async () => {
      const { maxKeyBytes, maxValueBytes } = storage.capabilities.limits
      const wrong: [string, () => Promise<unknown>][] = [
        ['INVALID_KEY', () => storage.fetch('a')],
        ['INVALID_KEY', () => storage.put(`/${'k'.repeat(maxKeyBytes)}`, '')],
        ['INVALID_KEY', () => storage.list('/a/')],
        ['INVALID_KEY', () => collect(storage.scan(''))],
        ['INVALID_DATA', () => storage.put('/a', '\ud800')],
        ['INVALID_ARGUMENT', () => storage.put('/a', 7 as unknown as string)],
        ['TOO_LARGE', () => storage.update('/a', new Uint8Array(maxValueBytes + 1))],
        ['INVALID_KEY', () => storage.delete('/a', { fence: { service: '', token: 1n } })],
        ['INVALID_ARGUMENT', () => storage.delete('/a', { fence: { service: 's', token: 1 as unknown as bigint } })],
        ['INVALID_ARGUMENT', () => storage.transact([{ op: 'get', key: '/a' } as unknown as StorageOp])],
      ]
      for (const [code, call] of wrong) expect(await caught(call())).to.include({ code, effect: 'none' })
      const late = await caught(
        storage.transact([
          { op: 'put', key: '/a', data: '' },
          { op: 'put', key: 'b', data: '' },
        ]),
      )
      expect(late).to.include({ code: 'INVALID_KEY', index: 1, key: 'b' })
      expect(client.driver.commits).to.have.length(0)
    })

    it('throw UNSUPPORTED for what the driver cannot do; single keys work all the same', async () => {
      const weak = new StorageClient((await another({ transactions: false, atomicFencing: false })).kernel)
      await weak.put('/a', '1')
      expect((await caught(weak.transact([]))).code).to.equal('UNSUPPORTED')
      const fenced = weak.update('/a', '2', { fence: { service: 's', token: 1n } })
      expect((await caught(fenced)).code).to.equal('UNSUPPORTED')
      expect(await weak.fetch('/a')).to.equal('1')
    })

    it('throw FENCED before anything else', async () => {
      await storage.put('/a', '1')
      const fence = { service: 's', token: 1n }
      for (const call of [
        storage.put('/a', 'x', { fence }),
        storage.update('/none', 'x', { fence }),
        storage.delete('/none', { fence }),
        storage.transact([], { fence }),
        storage.transact([{ op: 'put', key: '/a', data: 'x' }], { fence }),
      ]) {
        const error = await caught(call)
        expect(error).to.include({ code: 'FENCED', effect: 'none' })
        expect(error).not.to.have.property('current')
      }
    })

    it('copy what they are given', async () => {
      const bytes = new Uint8Array([65])
      const put = storage.put('/a', bytes)
      bytes[0] = 66
      await put
      expect(await storage.fetch('/a')).to.equal('A')
    })

    it('are refused after close, and rejected by it', async () => {
      client.driver.fault = () => 'unsent'
      const pending = caught(storage.put('/a', ''))
      await storage.close()
      expect(await pending).to.include({ code: 'CLOSED', effect: 'none' })
      expect((await caught(storage.fetch('/a'))).code).to.equal('CLOSED')
      expect((await caught(collect(storage.scan('/')))).code).to.equal('CLOSED')
      await storage.close()
    })
  })

  describe('transactions', () => {
    it('give a version for each write, and see what came before', async () => {
      const versions = await storage.transact([
        { op: 'check', key: '/a', version: null },
        { op: 'put', key: '/a', data: '1' },
        { op: 'update', key: '/a', data: '2' },
        { op: 'put', key: '/b', data: '1' },
        { op: 'delete', key: '/b' },
        { op: 'delete', key: '/c', ifVersion: versionOf('99') },
      ])
      const now = await storage.fetchEntry('/a')
      expect(now?.text).to.equal('2')
      expect(versions).to.deep.equal([undefined, now?.version, now?.version, undefined, undefined, undefined])
      expect(await storage.fetch('/b')).to.equal(undefined)
    })

    it('tell the first failing operation, also of those that cannot succeed', async () => {
      await storage.put('/a', '1')
      const twice = (key: string): StorageOp[] => [
        { op: 'put', key: '/x', data: '' },
        { op: 'put', key, data: '' },
        { op: 'put', key, data: '' },
      ]
      expect(await caught(storage.transact(twice('/a')))).to.include({ code: 'KEY_EXISTS', index: 1, key: '/a' })
      const doomed = await caught(storage.transact(twice('/b')))
      expect(doomed).to.include({ code: 'KEY_EXISTS', index: 2, key: '/b' })
      expect(doomed).not.to.have.property('current')
      expect(await storage.list('/')).to.deep.equal(new Set(['a']))
    })

    it('are refused if there are too many operations, and send nothing if there are none', async () => {
      const small = await another({ transactions: { maxOps: 1 } })
      const one: StorageOp = { op: 'check', key: '/a', version: null }
      const limited = new StorageClient(small.kernel)
      await limited.transact([one])
      expect((await caught(limited.transact([one, one]))).code).to.equal('TOO_LARGE')
      expect(await storage.transact([])).to.deep.equal([])
      expect(client.driver.commits).to.have.length(0)
    })
  })

  describe('lost replies', () => {
    it('never turn into KEY_EXISTS, VERSION_MISMATCH or false for what was our own write', async () => {
      faults('lost-reply')
      const created = await storage.put('/a', '1')
      faults('lost-reply')
      const updated = await storage.update('/a', '2', { ifVersion: created })
      expect(await storage.fetchEntry('/a')).to.include({ text: '2', version: updated })
      faults('lost-reply')
      expect(await storage.delete('/a')).to.equal(true)
      faults('lost-reply')
      expect(await storage.delete('/a')).to.equal(false)
      faults('lost-reply')
      expect((await storage.transact([{ op: 'put', key: '/a', data: '3' }]))[0]).to.be.a('string')
    })

    it('are told apart from lost requests, which are sent again under a new name', async () => {
      faults('lost-request', 'lost-request')
      await storage.put('/a', '1')
      const ids = client.driver.commits.map(({ id }) => `${id.slot}.${id.number}`)
      expect(new Set(ids.map((id) => id.split('.')[0])).size).to.equal(3)
      expect(await storage.fetch('/a')).to.equal('1')
    })

    it('do not let a late request take effect after the answer', async () => {
      await storage.put('/a', '0')
      faults('late')
      await storage.update('/a', '1')
      await storage.update('/a', '2')
      await client.driver.arrive()
      expect(await storage.fetch('/a')).to.equal('2')
    })

    it('use a slot again as soon as its outcome is known', async () => {
      for (let n = 0; n < 3; n++) await storage.put(`/${n}`, '')
      faults('lost-reply')
      await storage.put('/x', '')
      await storage.put('/y', '')
      const ids = client.driver.commits.map(({ id }) => `${id.slot}.${id.number}`)
      expect(ids).to.deep.equal(['0.1', '0.2', '0.3', '0.4', '0.5'])
    })

    it('leave the slot of what was never sent to the next one', async () => {
      client.driver.fault = () => 'unsent'
      expect(await caught(storage.put('/a', '1', { timeoutMs: 20 }))).to.include({ code: 'CONNECTION', effect: 'none' })
      faults()
      await storage.put('/a', '2')
      expect(client.driver.commits.at(-1)?.id).to.include({ slot: 0, number: 2 })
    })

    it('end with an unknown effect if nobody can say in time', async () => {
      faults('lost-reply')
      client.driver.answers = () => false
      const error = await caught(storage.put('/a', '1', { timeoutMs: 50 }))
      expect(error).to.include({ effect: 'unknown', retriable: false, key: '/a' })
      expect(['CONNECTION', 'TIMEOUT']).to.include(error.code)
    })

    it('of an aborted write are found out in the background', async () => {
      faults('late')
      const abort = new AbortController()
      client.driver.answers = () => {
        if (client.driver.questions.length > 1) return true
        abort.abort(new Error('enough'))
        return false
      }
      const error: unknown = await storage.put('/a', '1', { signal: abort.signal }).catch((thrown: unknown) => thrown)
      expect(error).to.equal(abort.signal.reason)
      while (client.driver.questions.length < 2) await nextTurn()
      await client.driver.arrive()
      expect(await storage.fetch('/a')).to.equal(undefined)
    })

    it('of an aborted write that stay unknown are one line in the log, and none on closing', async () => {
      const abandon = async () => {
        const abort = new AbortController()
        client.driver.fault = () => {
          abort.abort(new Error('enough'))
          return 'lost-reply'
        }
        await storage.put('/a', '1', { signal: abort.signal }).catch(() => undefined)
        await nextTurn()
      }
      client.driver.outcomeOf = () => Promise.reject(new CoordinationError('SESSION_LOST', 'the session is over'))
      await abandon()
      expect(client.debugged).to.deep.equal(['what became of an abandoned write is not known: the session is over'])
      client.driver.outcomeOf = () => deferred<never>().promise
      await abandon()
      await client.close()
      await nextTurn()
      expect(client.debugged).to.have.length(1)
    })

    it('write in the next session what the lost one certainly has not', async () => {
      const session = client.kernel.sessions.live
      await client.driver.endSession(session!.id, { signal: new AbortController().signal, timeoutMs: 1_000 })
      await storage.put('/a', '1')
      expect(client.driver.commits.map(({ id }) => id.session === session!.id)).to.deep.equal([true, false])
    })

    it('in a session that is over are unknown, and are not written again', async () => {
      faults('lost-reply')
      const session = client.kernel.sessions.live
      const { driver } = client
      driver.answers = () => {
        host.run('endSession', [session!.id], client.kernel.context.clock)
        return true
      }
      expect(await caught(storage.put('/a', '1'))).to.include({ code: 'SESSION_LOST', effect: 'unknown' })
      expect(driver.commits).to.have.length(1)
    })

    it('leave a counter of eight clients exact, whatever gets lost', async () => {
      await storage.put('/counter', '0')
      const writers = await Promise.all(Array.from({ length: 8 }, () => another()))
      const kinds: CommitFault[] = ['none', 'none', 'unsent', 'lost-request', 'lost-reply', 'late']
      const wrong: unknown[] = []
      await Promise.all(
        writers.map(async ({ kernel, driver }, writer) => {
          driver.fault = () => kinds[Math.floor(Math.random() * kinds.length)] ?? 'none'
          driver.answers = () => Math.random() < 0.7
          const own = new StorageClient(kernel)
          for (let n = 0; n < 20; n++) {
            await own.put(`/own/${writer}/${n}`, '').catch((error: unknown) => wrong.push(error))
            await modify(own, '/counter', (now) => String(Number(now?.text) + 1))
            await driver.arrive()
          }
        }),
      )
      expect(wrong).to.deep.equal([])
      expect(await storage.fetch('/counter')).to.equal('160')
    })
  })

  describe('namespaces', () => {
    it('are listed and scanned by whole segments', async () => {
      for (const key of ['/a/b', '/a/bc', '/a/b0', '/a/b/c', '/a/b!', '/ab', '/a']) await storage.put(key, '')
      expect(await storage.list('/a')).to.deep.equal(new Set(['b', 'bc', 'b0', 'b!']))
      expect(await storage.list('/a/b')).to.deep.equal(new Set(['c']))
      expect(await storage.list('/none')).to.deep.equal(new Set())
      expect(await storage.list('/')).to.deep.equal(new Set(['a', 'ab']))
      expect(await collect(storage.scan('/a'))).to.deep.equal(['/a/b', '/a/b!', '/a/b/c', '/a/b0', '/a/bc'])
    })

    it('of any size are scanned page by page, for one moment, each time anew', async () => {
      const keys = Array.from({ length: 1_201 }, (_, n) => `/n/${String(n).padStart(5, '0')}`)
      await Promise.all(keys.map((key) => storage.put(key, '')))
      const scan = storage.scan('/n')
      const seen: string[] = []
      for await (const { key } of scan) {
        if (seen.length === 0) await storage.put('/n/99999', '')
        seen.push(key)
      }
      expect(seen).to.deep.equal(keys)
      expect(await collect(scan)).to.have.length(1_202)
    })

    it('are not read through when they are listed', async () => {
      const { driver } = client
      await Promise.all(Array.from({ length: 1_100 }, (_, n) => storage.put(`/n/big/${n}`, '')))
      for (const child of ['a', 'big!', 'big', 'big0', 'c']) await storage.put(`/n/${child}`, '')
      let read = 0
      const scan = driver.scan.bind(driver)
      driver.scan = async (range, call) => {
        const page = await scan(range, call)
        read += page.entries.length
        return page
      }
      expect(await storage.list('/n')).to.deep.equal(new Set(['a', 'big!', 'big', 'big0', 'c']))
      expect(read).to.be.below(600)
    })

    it('stop being scanned on abort and on close', async () => {
      for (const key of ['/a', '/b', '/c']) await storage.put(key, '')
      const abort = new AbortController()
      const seen: string[] = []
      const loop = async (signal?: AbortSignal) => {
        for await (const { key } of storage.scan('/', signal && { signal })) {
          seen.push(key)
          if (signal === undefined) await storage.close()
          else abort.abort(new Error('enough'))
        }
      }
      const reason: unknown = await loop(abort.signal).catch((error: unknown) => error)
      expect(reason).to.equal(abort.signal.reason)
      expect((await caught(loop())).code).to.equal('CLOSED')
      expect(seen).to.deep.equal(['/a', '/a'])
    })
  })
})
