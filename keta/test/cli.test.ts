/** The executable as a process: exit codes, output, signals, the lock. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { KetaProcess, type LogLine, runKeta } from './keta-process.ts'
import { answerContains, put } from './raw-kv.ts'

const READY = 'ready to serve client requests'
const ANY_PORT = '--listen-client-urls=http://127.0.0.1:0'

describe('the keta command', () => {
  let directory: string
  const started: KetaProcess[] = []

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'keta-cli-'))
  })
  afterEach(async () => {
    for (const keta of started.splice(0)) {
      keta.kill('SIGKILL')
      await keta.finished
    }
  })
  after(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  function start(words: readonly string[], environment?: Readonly<Record<string, string>>): KetaProcess {
    const keta = new KetaProcess(words, environment)
    started.push(keta)
    return keta
  }

  function dataDir(name: string): string {
    return `--data-dir=${join(directory, name)}`
  }

  it('--help prints the help and exits with 0', async () => {
    const { code, stdout, stderr } = await runKeta(['--help'])
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' })
    expect(stdout).to.equal(readFileSync(new URL('../config/help.txt', import.meta.url), 'utf8'))
  })

  it('--version prints the version and exits with 0', async () => {
    const { code, stdout } = await runKeta(['--version'])
    expect(code).to.equal(0)
    expect(stdout).to.match(/^keta \d+\.\d+\.\d+ \(node v\d+.*\)\n$/)
  })

  it('exits with 2 for a wrong configuration, with every problem on a line of its own', async () => {
    const { code, stdout, stderr } = await runKeta(['--data-dri=x', '--max-txn-ops=0'], { KETA_LOG_LEVEL: 'loud' })
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' })
    expect(stderr.split('\n')).to.deep.equal([
      'keta: --data-dri: unknown flag; did you mean --data-dir?',
      'keta: --max-txn-ops: "0"; expected a whole number from 1 to 1000000',
      'keta: KETA_LOG_LEVEL: "loud"; expected one of debug, info, warn, error, dpanic, panic, fatal',
      '',
    ])
  })

  it('check prints each value with its source, and starts nothing', async () => {
    const file = join(directory, 'check.properties')
    writeFileSync(file, 'listeners=http://127.0.0.1:2999\nname=n\ndebug=true\n')
    const { code, stdout, stderr } = await runKeta(['check', file, '--max-txn-ops=5'])
    expect(code).to.equal(0)
    expect(stderr).to.include(`keta: no effect: debug (${file}:3)`)
    expect(stdout).to.match(new RegExp(`^listen-client-urls +http://127.0.0.1:2999 +${file}:1$`, 'm'))
    expect(stdout).to.match(/^max-txn-ops +5 +--max-txn-ops$/m)
    expect(stdout).to.match(/^data-dir +n\.keta +default$/m)
  })

  it('serves until SIGTERM, then exits with 0', async () => {
    const keta = start([dataDir('sigterm'), ANY_PORT, '--name=n1', '--heartbeat-interval=100'])
    const ready = await keta.logged(READY)
    expect(urlOf(ready)).to.match(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(keta.log.find(({ msg }) => msg === 'effective configuration')).to.include({ name: 'n1' })
    expect(keta.log.some(({ level, msg }) => level === 'warn' && msg.includes('--heartbeat-interval'))).to.equal(true)
    keta.kill('SIGTERM')
    const { code, stdout } = await keta.finished
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: '' })
    expect(keta.log.at(-1)?.msg).to.equal('stopped')
  })

  it('stops on SIGINT too, and prints one line to copy when npm starts it', async () => {
    const keta = start([dataDir('sigint'), ANY_PORT], { npm_lifecycle_event: 'start' })
    const ready = await keta.logged(READY)
    keta.kill('SIGINT')
    const { code, stdout } = await keta.finished
    expect(code).to.equal(0)
    const endpoint = urlOf(ready).replace('http://', '')
    expect(stdout).to.equal(`etcdctl --endpoints=${endpoint} put greeting hello\n`)
  })

  it('refuses a data directory that another process uses, naming its pid, until it is dead', async () => {
    const first = start([dataDir('lock'), ANY_PORT])
    await first.logged(READY)
    const { code, stderr } = await runKeta([dataDir('lock'), ANY_PORT])
    expect(code).to.equal(1)
    expect(stderr)
      .to.include('"code":"LOCKED"')
      .and.to.include(String(first.child.pid))
      .and.to.include('another --data-dir')
    first.kill('SIGKILL')
    await first.finished
    await start([dataDir('lock'), ANY_PORT]).logged(READY)
  })

  it('ends with 1 when the disk fails, says why, and has every acknowledged write at the next start', async () => {
    const keta = new KetaProcess([dataDir('disk'), ANY_PORT], {}, 200)
    started.push(keta)
    const url = urlOf(await keta.logged(READY))
    const value = 'x'.repeat(40_000)
    let acknowledged = 0
    await expectRejection(async () => {
      for (; acknowledged < 100; acknowledged++) await put(url, `key-${acknowledged}`, value)
    })
    const { code } = await keta.finished
    expect(code).to.equal(1)
    expect(keta.log.at(-1)).to.include({ level: 'error', msg: 'stopped because of a failure' })
    expect(JSON.stringify(keta.log.at(-1)))
      .to.include('EFBIG')
      .and.to.include('every acknowledged write is safe')

    const next = urlOf(await start([dataDir('disk'), ANY_PORT]).logged(READY))
    expect(acknowledged).to.be.greaterThan(0)
    for (let index = 0; index < acknowledged; index++) {
      expect(await answerContains(next, `key-${index}`, value), `key-${index}`).to.equal(true)
    }
  })

  it('says which address is in use, and leaves the data directory free', async () => {
    const blocker = await listen()
    const address = blocker.address() as { port: number }
    const { code, stderr } = await runKeta([dataDir('port'), `--listen-client-urls=http://127.0.0.1:${address.port}`])
    blocker.close()
    await once(blocker, 'close')
    expect(code).to.equal(1)
    expect(stderr).to.include(`127.0.0.1:${address.port}`).and.to.include('EADDRINUSE')
    await start([dataDir('port'), ANY_PORT]).logged(READY)
  })

  it('refuses a directory that is not its own', async () => {
    const path = mkdtempSync(join(directory, 'strange-'))
    writeFileSync(join(path, 'thesis.doc'), 'x')
    const { code, stderr } = await runKeta([`--data-dir=${path}`, ANY_PORT])
    expect(code).to.equal(1)
    expect(stderr).to.include('thesis.doc')
  })
})

function urlOf(ready: LogLine): string {
  return (ready['listen-client-urls'] as string[])[0]!
}

async function expectRejection(action: () => Promise<void>): Promise<void> {
  const rejected = await action().then(
    () => false,
    () => true,
  )
  expect(rejected).to.equal(true)
}

async function listen(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
