import { expect } from 'chai'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  API_VERSION,
  CoordinationError,
  defineConfig,
  type Logger,
  parseConfig,
  type PluginContext,
  type PluginLocatorClass,
  silentLogger,
} from '../../spi/index.ts'
import { DirectAccess } from '../memory/access.ts'
import { MemoryDriver } from '../memory/memory-driver.ts'
import { caught } from './caught.fixture.ts'
import { deferred } from './deferred.ts'
import type { Call, StoreDriver } from './driver.ts'
import { makeHost } from './faulty-store.fixture.ts'
import { AbstractPluginLocator } from './plugin-locator.ts'

const CONFIG = defineConfig({
  'plugin.double.name': { type: 'string', doc: 'Name.' },
  'plugin.double.port': { type: 'int', default: '1', doc: 'Port.' },
})

let connect: (context: PluginContext, call: Call) => Promise<StoreDriver>

class DoublePluginLocator extends AbstractPluginLocator {
  static readonly apiVersion = API_VERSION
  static readonly configDef = CONFIG

  protected override connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    return connect(context, call)
  }
}

DoublePluginLocator satisfies PluginLocatorClass

describe('AbstractPluginLocator', () => {
  const config = { 'plugin.double.name': 'x' }
  const host = { config, logger: silentLogger, sessionTimeoutMs: 1_000 }
  let store: ReturnType<typeof makeHost>
  let opened: { driver: StoreDriver; closed: boolean }[]
  let locator: DoublePluginLocator

  beforeEach(() => {
    store = makeHost()
    opened = []
    connect = async (context) => open(context)
    locator = new DoublePluginLocator()
  })

  afterEach(() => locator.shutdown())

  function open(context: PluginContext): StoreDriver {
    const driver = new MemoryDriver(new DirectAccess(store, context.clock), context)
    const close = driver.close.bind(driver)
    const one = { driver, closed: false }
    driver.close = () => {
      one.closed = true
      return close()
    }
    opened.push(one)
    return driver
  }

  it('starts, gives out its services, each once, with one session, and shuts down', async () => {
    await locator.startup('', host)
    expect(locator.getStorage()).to.equal(locator.getStorage())
    expect(locator.getListenerRegistry()).to.equal(locator.getListenerRegistry())
    expect(locator.getGroupMembership('a')).to.equal(locator.getGroupMembership('a'))
    expect(locator.getGroupMembership('a')).not.to.equal(locator.getGroupMembership('b'))
    expect(locator.getLeaderElection('a')).to.equal(locator.getLeaderElection('a'))
    expect(locator.getLeaderElection('a').service).to.equal('a')
    await locator.getStorage().put('/a', '1')
    const { session } = locator
    expect(session.state).to.equal('connected')
    await locator.shutdown()
    expect(session.state).to.equal('closed')
    expect(opened.map(({ closed }) => closed)).to.deep.equal([true])
  })

  it('refuses names that are none', async () => {
    await locator.startup('', host)
    expect((await caught(() => locator.getGroupMembership(''))).code).to.equal('INVALID_KEY')
    expect((await caught(() => locator.getLeaderElection('\0'))).code).to.equal('INVALID_KEY')
  })

  it('has nothing before its start, and nothing to give after its end', async () => {
    const services = [
      () => locator.getStorage(),
      () => locator.getListenerRegistry(),
      () => locator.getGroupMembership('a'),
      () => locator.getLeaderElection('a'),
    ]
    for (const get of [...services, () => locator.session]) {
      expect(await caught(get)).to.include({ code: 'NOT_INITIALIZED', backend: 'double' })
    }
    await locator.startup('', host)
    expect((await caught(locator.startup('', host))).code).to.equal('INVALID_ARGUMENT')
    const storage = locator.getStorage()
    await locator.shutdown()
    expect(locator.getStorage()).to.equal(storage)
    for (const late of [
      locator.getStorage().fetch('/a'),
      locator.getListenerRegistry().addValueChangeListener('/a', { valueChanged: () => undefined }),
      locator.getGroupMembership('a').join('1', ''),
      locator.getLeaderElection('a').nominate('1'),
    ]) {
      expect((await caught(late)).code).to.equal('CLOSED')
    }
    expect(locator.session.state).to.equal('closed')
    expect((await caught(storage.fetch('/a'))).code).to.equal('CLOSED')
    expect((await caught(locator.startup('', host))).code).to.equal('CLOSED')
  })

  it('tells all that is wrong with the configuration before it connects', async () => {
    const wrong = { 'plugin.double.port': 'many' }
    const error = await caught(locator.startup('here.properties', { ...host, config: wrong }))
    expect(error.code).to.equal('CONFIG')
    expect(error.problems).to.have.length(2)
    expect(error.message).to.include('here.properties: plugin.double.name')
    expect(opened).to.have.length(0)
  })

  it('reads the file itself if the host has not', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'locator-'))
    const file = join(folder, 'plugin.properties')
    const warnings: string[] = []
    const logger: Logger = { ...silentLogger, warn: (message) => warnings.push(message) }
    try {
      writeFileSync(file, 'plugin.double.name = y\nplugin.double.prot = 2\n')
      let name: string | undefined
      connect = async (context) => {
        name = parseConfig(CONFIG, context.config)['plugin.double.name']
        return open(context)
      }
      await locator.startup(file, { logger })
      expect(name).to.equal('y')
      expect(warnings).to.have.length(1)
      expect(warnings[0]).to.include(`${file}:2: plugin.double.prot`)
      const missing = await caught(new DoublePluginLocator().startup(join(folder, 'none'), { logger }))
      expect(missing.code).to.equal('CONFIG')
      expect(missing.problems).to.have.length(1)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('leaves nothing behind when the start fails, and may be started again', async () => {
    connect = async (context) => {
      const driver = open(context)
      driver.openSession = () => Promise.reject(new CoordinationError('AUTHORIZATION', 'no'))
      return driver
    }
    expect((await caught(locator.startup('', host))).code).to.equal('AUTHORIZATION')
    expect(opened.map(({ closed }) => closed)).to.deep.equal([true])
    expect((await caught(() => locator.getStorage())).code).to.equal('NOT_INITIALIZED')
    connect = async (context) => open(context)
    await locator.startup('', host)
    await locator.getStorage().put('/a', '1')
  })

  it('tries to connect until the time is up, and takes a wrong password for an answer', async () => {
    let attempts = 0
    connect = async () => {
      attempts++
      throw new CoordinationError('CONNECTION', 'refused')
    }
    const error = await caught(locator.startup('', host, { timeoutMs: 100 }))
    expect(['CONNECTION', 'TIMEOUT']).to.include(error.code)
    expect(attempts).to.be.above(1)
    attempts = 0
    connect = async () => {
      attempts++
      throw new CoordinationError('AUTHENTICATION', 'wrong password')
    }
    expect((await caught(locator.startup('', host))).code).to.equal('AUTHENTICATION')
    expect(attempts).to.equal(1)
  })

  it('takes anything else that a driver throws for a fault of its own', async () => {
    connect = () => Promise.reject(new TypeError('x'))
    expect(await caught(locator.startup('', host))).to.include({ code: 'INTERNAL', backend: 'double' })
  })

  it('may be shut down while it starts, and closes a connection that comes too late', async () => {
    const late = deferred<undefined>()
    connect = async (context) => {
      await late.promise
      return open(context)
    }
    const starting = caught(locator.startup('', host))
    await Promise.all([locator.shutdown(), locator.shutdown()])
    expect((await starting).code).to.equal('CLOSED')
    late.resolve(undefined)
    await new Promise(setImmediate)
    expect(opened.map(({ closed }) => closed)).to.deep.equal([true])
  })

  it('may be aborted while it starts', async () => {
    connect = () => deferred<never>().promise
    const abort = new AbortController()
    const starting = locator.startup('', host, { signal: abort.signal })
    abort.abort(new Error('enough'))
    expect(await starting.catch((error: unknown) => error)).to.equal(abort.signal.reason)
  })

  it('shuts down before any start, any number of times', async () => {
    await locator.shutdown()
    await locator.shutdown()
    expect((await caught(() => locator.getStorage())).code).to.equal('CLOSED')
    expect((await caught(locator.startup('', host))).code).to.equal('CLOSED')
  })

  it('rejects what is pending at its end', async () => {
    await locator.startup('', host)
    opened[0]!.driver.read = () => deferred<never>().promise
    const pending = caught(locator.getStorage().fetch('/a'))
    await locator.shutdown()
    expect((await pending).code).to.equal('CLOSED')
  })

  it('gives out a new service in the place of one that was closed, and the others go on', async () => {
    await locator.startup('', host)
    const [storage, registry] = [locator.getStorage(), locator.getListenerRegistry()]
    await storage.close()
    expect(locator.getStorage()).not.to.equal(storage)
    await locator.getStorage().put('/a', '1')
    await registry.addValueChangeListener('/a', { valueChanged: () => undefined })
  })

  it('gives its members and its leadership back before it is gone, and `await using` does too', async () => {
    const observer = new DoublePluginLocator()
    await observer.startup('', host)
    {
      await using leader = new DoublePluginLocator()
      await leader.startup('', host)
      await leader.getGroupMembership('g').join('1', '')
      await leader.getLeaderElection('s').nominate('1')
    }
    expect(await observer.getGroupMembership('g').membershipList()).to.deep.equal(new Set())
    expect(await observer.getLeaderElection('s').getLeader()).to.equal(undefined)
    await observer.shutdown()
  })

  it('ends in time although a listener never does', async () => {
    await locator.startup('', { ...host, sessionTimeoutMs: 200 })
    const registry = locator.getListenerRegistry()
    let called = false
    await registry.addValueChangeListener(
      '/a',
      {
        valueChanged: () => {
          called = true
          return deferred<never>().promise
        },
      },
      { initial: true },
    )
    await new Promise(setImmediate)
    expect(called).to.equal(true)
    await locator.shutdown()
    expect(opened[0]!.closed).to.equal(true)
  })

  it('may be shut down by a listener of its own, which waits for it', async () => {
    await locator.startup('', host)
    const done = deferred<undefined>()
    await locator.getListenerRegistry().addValueChangeListener('/a', {
      async valueChanged() {
        await locator.shutdown()
        done.resolve(undefined)
      },
    })
    const before = performance.now()
    // the shutdown may come before the reply
    await locator
      .getStorage()
      .put('/a', '1')
      .catch(() => undefined)
    await done.promise
    expect(performance.now() - before).to.be.below(host.sessionTimeoutMs / 2)
  })
})
