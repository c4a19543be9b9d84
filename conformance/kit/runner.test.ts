import { expect } from 'chai'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isCoordinationError } from '../../spi/index.ts'
import type { BackendHarness } from '../harness.ts'
import type { ConformanceCase, Given } from './case.ts'
import { fakeHarness } from './fake-locator.fixture.ts'
import type { CaseOutcome } from './outcome.ts'
import { runCases, type RunnerOptions, startRun } from './runner.ts'

/** Processes start slowly on a machine that is busy. */
const CASE_LIMIT_MS = 18_000

describe('the runner', () => {
  let server: Server
  let endpoint: string
  let historyFolder: string

  before(async () => {
    historyFolder = mkdtempSync(join(tmpdir(), 'runner-test-'))
    server = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(() => {
    server.close()
    rmSync(historyFolder, { recursive: true })
  })

  const harnessOf = (more: Partial<BackendHarness> = {}) => fakeHarness([endpoint], more)
  const options = (cases: readonly ConformanceCase[], more: Partial<RunnerOptions> = {}): RunnerOptions => ({
    ...{ cases, scale: 'quick', seed: 'seed', concurrency: 4, historyFolder, caseLimitMs: CASE_LIMIT_MS },
    ...more,
  })

  async function outcomeOf(
    run: (given: Given) => Promise<void>,
    more: Partial<ConformanceCase> = {},
    limits: Partial<RunnerOptions> = {},
  ): Promise<CaseOutcome> {
    const cases = [{ id: 'T1', title: 'does something', run, ...more }]
    const [outcome] = await runCases(harnessOf(), options(cases, limits))
    return outcome ?? expect.fail('no outcome')
  }

  it('passes a case that does what it says, with clients here and in a process of their own', async () => {
    const outcome = await outcomeOf(async (given) => {
      const [here, there] = [await given.party('A'), await given.process('B')]
      await here.storage.put('/a', 'here')
      expect((await here.storage.fetchEntry('/a'))?.text).to.equal('here')
      const version = await there.storage.put('/b', new Uint8Array([0, 255]))
      const entry = await there.storage.fetchEntry('/b')
      expect(entry).to.deep.include({ key: '/b', version, bytes: new Uint8Array([0, 255]) })
      expect(await there.storage.list('/')).to.deep.equal(new Set(['/b']))
      expect(there.pid).not.to.equal(process.pid)
      expect(here.logged).to.deep.equal(['info: started {"by":"the kit"}'])
      const log = await there.event(({ type }) => type === 'log', 0)
      expect(log).to.include({ line: 'info: started {"by":"a file"}' })
      expect(log.at).to.be.within(given.now() - CASE_LIMIT_MS, given.now())
      expect(await there.end()).to.equal(0)
    })
    expect(outcome).to.deep.include({ id: 'T1', title: 'does something', state: 'passed' })
    expect(outcome).not.to.have.property('failure')
  })

  it('brings an error of another process home as what it was', async () => {
    const outcome = await outcomeOf(async (given) => {
      const there = await given.process('B')
      await there.storage.put('/k', 'v')
      const error: unknown = await there.storage.put('/k', 'w').catch((reason: unknown) => reason)
      if (!isCoordinationError(error, 'KEY_EXISTS')) throw error
      expect(error).to.include({ key: '/k', effect: 'none', message: '/k is there' })
      expect(error.current?.text).to.equal('v')
      const refused: unknown = await there
        .group()
        .members()
        .catch((reason: unknown) => reason)
      expect(isCoordinationError(refused, 'UNSUPPORTED')).to.equal(true)
      expect(await there.run('nothing').catch((reason: unknown) => String(reason))).to.include('no routine nothing')
    })
    expect(outcome.failure?.message).to.equal(undefined)
  })

  it('ends what a case has killed, stopped or stalled', async () => {
    const pids: number[] = []
    const outcome = await outcomeOf(async (given) => {
      const [killed, stopped, stalled] = await Promise.all(['K', 'S', 'B'].map((name) => given.process(name)))
      pids.push(...[killed, stopped, stalled].map((party) => party!.pid))
      await killed!.kill()
      // first, so that it cannot answer
      stopped!.stop()
      const pending = stopped!.storage.list('/').catch((error: unknown) => String(error))
      const start = given.now()
      await stalled!.busy(50)
      expect(given.now() - start).to.be.at.least(50)
      expect(await killed!.storage.list('/').catch((error: unknown) => String(error))).to.include('SIGKILL')
      given.after(async () => {
        await stopped!.kill()
        expect(await pending).to.include('SIGKILL')
      })
    })
    expect(outcome.failure?.message).to.equal(undefined)
    for (const pid of pids) expect(() => process.kill(pid, 0), `process ${pid}`).to.throw('ESRCH')
  })

  it('reports what a case has measured', async () => {
    const { state, measuredMs } = await outcomeOf(async ({ measured }) => measured('the wait', 1.6))
    expect(state).to.equal('passed')
    expect(measuredMs).to.deep.equal({ 'the wait': 2 })
  })

  it('fails a case that throws, and keeps what happened', async () => {
    const { state, failure } = await outcomeOf(async ({ history, party, process: startProcess }) => {
      const { storage } = await party('A')
      await startProcess('B')
      const hanging = once(new EventTarget(), 'never')
      await history.record({ process: 'A', op: 'put', key: '/k', input: 1n }, () => storage.put('/k', 'v'))
      await history
        .record({ process: 'A', op: 'put', key: '/k' }, () => storage.put('/k', 'w'))
        .catch(() => history.note({ what: 'refused' }))
      history.record({ process: 'A', op: 'hang', key: '/k' }, () => hanging).catch(() => undefined)
      expect(history.operations.map(({ outcome }) => outcome)).to.deep.equal(['ok', 'none', 'unknown'])
      expect.fail('on purpose')
    })
    expect(state).to.equal('failed')
    // A busy machine adds that the process stood still.
    expect(failure?.message).to.match(/^on purpose($|\nand: meanwhile)/)
    expect(failure?.stack).to.include('runner.test.ts')
    const logged = ['A: info: started {"by":"the kit"}', 'B: info: started {"by":"a file"}']
    expect(failure?.logged).to.deep.equal(logged)
    const lines = readFileSync(failure?.history ?? '', 'utf8')
      .trimEnd()
      .split('\n')
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(parsed).to.have.lengthOf(5)
    const times = parsed.map(({ at, invokedAt }) => Number(at ?? invokedAt))
    expect(times).to.deep.equal([...times].sort((a, b) => a - b))
    expect(parsed.shift()).to.include({ type: 'note', process: 'B', event: 'log' })
    expect(parsed[0]).to.include({ type: 'operation', process: 'A', op: 'put', input: '1n', output: '1' })
    expect(parsed[1]).to.include({ error: 'KEY_EXISTS (effect none): /k is there' })
    expect(parsed.map(({ returnedAt }) => returnedAt)).to.include('never')
    expect(parsed.map(({ what }) => what)).to.include('refused')
  })

  it('ends a case that takes too long, and says what it was waiting for', async () => {
    const outcome = await outcomeOf(
      async (given) => {
        await given.until('hell freezes over', () => false, 60_000)
      },
      { extraTtls: 1 },
      { caseLimitMs: 50 },
    )
    expect(outcome.failure?.message).to.match(
      /^not over after 250 ms; it was waiting for: hell freezes over($|\nand: meanwhile)/,
    )
  })

  it('tells of a client that does not shut down, of connections left open, of what was left undone', async () => {
    const leak = await outcomeOf(async (given) => {
      await given.party('A', { properties: { 'fake.shutdown': 'leak' } })
      given.after(() => expect.fail('not tidy'))
    })
    expect(leak.state).to.equal('failed')
    expect(leak.failure?.message).to.include('not tidy').and.include('1 connections are still open')
    const hang = await outcomeOf(
      async (given) => {
        await given.process('A', { properties: { 'fake.shutdown': 'hang' } })
      },
      {},
      { closeLimitMs: 4_000 },
    )
    expect(hang.failure?.message).to.match(
      /A: its process has not ended by itself 4000 ms after .*: shutting down, with /,
    )
  })

  it('blames errors that nobody caught on the cases that were running, and survives', async () => {
    const stray = () => {
      setImmediate(() => [Promise.reject(new Error('astray'))])
      setImmediate(() => {
        throw new Error('thrown by a callback')
      })
      return new Promise<void>((resolve) => {
        setTimeout(resolve, 20)
      })
    }
    const listeners = process.listeners('uncaughtException')
    const { failure } = await outcomeOf(stray)
    expect(failure?.message).to.include('unhandledRejection: Error: astray')
    expect(failure?.message).to.include('uncaughtException: Error: thrown by a callback')
    expect(process.listeners('uncaughtException')).to.deep.equal(listeners)
  })

  it('gives each case the same chance in each run with the same seed, and a cluster of its own', async () => {
    const seen = new Map<string, unknown[]>()
    const cases = ['T1', 'T2'].map((id) => ({
      id,
      title: 'draws',
      async run({ random, clusterId, scale }: Given) {
        seen.set(id, [random(), random(), clusterId, scale(1, 2)])
      },
    }))
    const draw = async (more: Partial<RunnerOptions>) => {
      await runCases(harnessOf(), options(cases, more))
      return [...seen.values()]
    }
    const [one, other] = await draw({})
    const [again] = await draw({ scale: 'full' })
    const [different] = await draw({ seed: 'another' })
    expect(one?.slice(0, 2)).to.deep.equal(again?.slice(0, 2)).and.not.deep.equal(other?.slice(0, 2))
    expect(one?.slice(0, 2)).not.to.deep.equal(different?.slice(0, 2))
    expect(new Set([one?.[2], other?.[2], again?.[2]]).size).to.equal(3)
    expect([one?.[3], again?.[3]]).to.deep.equal([1, 2])
  })

  it('says of a failure when the machine was too busy', async () => {
    const { failure } = await outcomeOf(async ({ until }) => {
      await until(
        'the first turn',
        () =>
          new Promise<boolean>((resolve) => {
            setTimeout(() => resolve(true), 30)
          }),
      )
      const end = performance.now() + 120
      while (performance.now() < end);
      await until(
        'the next turn',
        () =>
          new Promise<boolean>((resolve) => {
            setTimeout(() => resolve(true), 30)
          }),
      )
      expect.fail('on purpose')
    })
    expect(failure?.message).to.match(/^on purpose\nand: meanwhile this process stood still for up to \d{3,} ms/)
  })

  it('runs cases side by side, and those that must be alone after them, one at a time', async () => {
    let running = 0
    const together: Record<string, number> = {}
    const make = (id: string, alone: boolean): ConformanceCase => ({
      ...{ id, title: 'counts', alone },
      async run({ until }) {
        running++
        together[id] = Math.max(together[id] ?? 0, running)
        // whoever runs beside another sees it
        if (!alone) await until('another', () => running > 1)
        together[id] = Math.max(together[id] ?? 0, running)
        await new Promise((resolve) => {
          setTimeout(resolve, 5)
        })
        running--
      },
    })
    const cases = [make('T1', true), make('T2', false), make('T3', false), make('T4', true)]
    const order: string[] = []
    const outcomes = await runCases(harnessOf(), {
      ...options(cases, { concurrency: 2 }),
      onOutcome: ({ id }) => order.push(id),
    })
    expect(outcomes.map(({ id, state }) => `${id} ${state}`)).to.deep.equal(
      ['T1', 'T2', 'T3', 'T4'].map((id) => `${id} passed`),
    )
    expect(order.slice(2)).to.deep.equal(['T1', 'T4'])
    expect(together).to.deep.equal({ T1: 1, T2: 2, T3: 2, T4: 1 })
  })

  it('runs what is asked for', async () => {
    const ran: string[] = []
    const make = (id: string, alone = false): ConformanceCase => ({
      ...{ id, title: 'runs', alone },
      run: async () => {
        ran.push(id)
      },
    })
    const cases = [make('T1'), make('T2'), make('T3', true), make('T4', true)]
    await runCases(harnessOf(), options(cases, { only: ['T2', 'T3'] }))
    expect(ran).to.deep.equal(['T2', 'T3'])
    const failed: unknown = await runCases(harnessOf(), options(cases, { only: ['T9'] })).catch(
      (error: unknown) => error,
    )
    expect(String(failed)).to.include('there is no case T9')

    ran.length = 0
    const run = startRun(harnessOf(), options(cases), 'on demand')
    expect(await run.outcomeOf('T4')).to.include({ state: 'passed' })
    await run.stop()
    expect(ran).to.include('T4').and.not.include('T3')
    expect((await run.done).map(({ id }) => id))
      .to.include('T4')
      .and.not.include('T3')
    expect(String(await run.outcomeOf('T3').catch((error: unknown) => error))).to.include('stopped before T3')
  })

  it('is strict about failures that are expected', async () => {
    const cases: ConformanceCase[] = [
      { id: 'T1', title: 'fails', run: async () => expect.fail('as ever') },
      { id: 'T2', title: 'passes', run: async () => undefined },
    ]
    const expectedFailures = { T1: 'known', T2: 'thought so' }
    const [one, two] = await runCases(harnessOf({ expectedFailures }), options(cases))
    expect(one).to.deep.include({ state: 'expected-failure', reason: 'known' })
    expect(one?.failure?.message).to.equal('as ever')
    expect(two).to.include({ state: 'failed' })
    expect(two?.failure?.message).to.include('expects it to fail (thought so)')
  })
})
