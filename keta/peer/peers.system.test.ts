import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { expect } from 'chai'

import { pauseProcess } from '../../conformance/kit/pause-process.ts'
import type { PeerError, PeerLink } from '../cluster/peers.ts'
import { SECRET, signal } from './pair.fixture.ts'
import { createPeers } from './peers.ts'

const CHILD = fileURLToPath(new URL('./peer-child.fixture.ts', import.meta.url))

describe('a link to another process', function () {
  this.timeout(30_000)
  const children: ChildProcess[] = []
  const links: PeerLink[] = []

  afterEach(() => {
    for (const link of links.splice(0)) link.close()
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  function start(...args: string[]): ChildProcess {
    const child = fork(CHILD, args, { execArgv: ['--import', 'tsx'] })
    children.push(child)
    return child
  }

  async function linked(): Promise<{ child: ChildProcess; link: PeerLink; gone: Promise<number> }> {
    const child = start('answer')
    const [url] = (await once(child, 'message')) as [string]
    const { promise: gone, resolve } = signal<number>()
    const link = createPeers({ secret: SECRET }).connect([url], () => resolve(performance.now()))
    links.push(link)
    await link.request({ kind: 'ping' }, 5_000)
    return { child, link, gone }
  }

  function outcomeOf(link: PeerLink, timeoutMs: number): Promise<PeerError> {
    return link.request({ kind: 'readIndex' }, timeoutMs).then(
      () => expect.fail('it was answered'),
      (error: unknown) => error as PeerError,
    )
  }

  it('notices within moments that the process was killed', async () => {
    const delays: number[] = []
    for (let round = 0; round < 5; round++) {
      const { child, link, gone } = await linked()
      const failure = outcomeOf(link, 10_000)
      await setTimeout(20)
      const killedAt = performance.now()
      child.kill('SIGKILL')
      expect(await failure).to.include({ sent: true })
      delays.push((await gone) - killedAt)
    }
    expect(Math.max(...delays), delays.join(' ')).to.be.below(2_000)
  })

  it('loses a process that stands still, but does not take it for dead', async () => {
    const { child, link, gone } = await linked()
    pauseProcess(child.pid ?? expect.fail('it was not started'))
    const since = performance.now()
    expect(await outcomeOf(link, 10_000)).to.include({ sent: true })
    expect(performance.now() - since, 'noticed by the keepalive').to.be.within(2_000, 8_000)
    expect(await Promise.race([gone, setTimeout(1_000, 'alive')])).to.equal('alive')
    child.kill('SIGCONT')
    for (;;) {
      const answer = await link.request({ kind: 'ping' }, 5_000).catch(() => undefined)
      if (answer !== undefined) break
      await setTimeout(20)
    }
  })

  it('keeps no process alive once it is closed', async () => {
    const node = start('answer')
    const [url] = (await once(node, 'message')) as [string]
    expect(await outcomeOfChild(start('ask', url, '10000'))).to.deep.equal(['done', 0])
  })

  it('keeps no process alive whose other side has never said a word', async () => {
    const mute = createServer((socket) => socket.on('error', () => undefined).resume())
    await once(mute.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`
    const [outcome, code] = await outcomeOfChild(start('ask', url, '500'))
    expect(outcome).to.contain('no answer within 500 ms')
    expect(code).to.equal(0)
    mute.close()
  })

  async function outcomeOfChild(child: ChildProcess): Promise<[outcome: string, code: number]> {
    const exit = once(child, 'exit') as Promise<[number]>
    const [outcome] = (await once(child, 'message')) as [string]
    const [code] = await Promise.race([exit, setTimeout<[number]>(10_000, [-1])])
    return [outcome, code]
  }
})
