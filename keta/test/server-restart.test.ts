/** Starts of the server on data that it has: full to the quota, long to replay, in use, damaged. */
import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { closeSync, cpSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  AlarmRequest_AlarmAction,
  AlarmType,
  KV,
  Lease,
  Maintenance,
  type StatusResponse,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient, failureOf } from './api-client.fixture.ts'
import type { KetaProcess } from './keta-process.ts'
import { errorsOf, kill, launch, served, temporaryDirectory } from './served.fixture.ts'
import { ALL } from './watch-reader.fixture.ts'

const SMALL_FILES = ['--segment-bytes=1MiB', '--snapshot-log-bytes=1MiB']
const MIB = 1024 * 1024
const KEY = Buffer.from('key')
const FILLER = Buffer.alloc(150)

/** After so long a line says how far the replay is. A replay lasts as long here because it is paused. */
const LINE_INTERVAL_MS = 2000
/** When to pause a start, as a part of its time: in the middle of the replay, unless the machine is busy otherwise. */
const PARTS = [0.6, 0.7, 0.5, 0.8, 0.4]
const ATTEMPTS_MOST = 20

describe('the server started again', function () {
  this.timeout(60_000)

  let directory: string
  let client: ApiClient | undefined
  const started: KetaProcess[] = []
  beforeEach(() => {
    directory = temporaryDirectory('server-restart')
  })
  afterEach(async () => {
    client?.close()
    for (const keta of started.splice(0)) await kill(keta)
    rmSync(directory, { recursive: true, force: true })
  })

  function start(flags: readonly string[] = [], dataDir = directory): KetaProcess {
    const keta = launch(dataDir, flags)
    started.push(keta)
    return keta
  }

  /** Gives a client of the started server. */
  async function connect(keta: KetaProcess): Promise<ApiClient> {
    const { endpoint } = await served(keta)
    client?.close()
    client = new ApiClient(endpoint)
    return client
  }

  it('is out of space until it is compacted, defragmented and disarmed, over restarts', async () => {
    const flags = ['--quota-backend-bytes=16MiB']
    const value = Buffer.alloc(MIB / 2, 'v')
    let api = await connect(start(flags))
    const put = (to: ApiClient) => to.call(KV.method.put, { key: KEY, value })
    const refusal = await failureOf(putUntilRefused(() => put(api)))
    expect([refusal.code, refusal.details]).to.deep.equal([
      status.RESOURCE_EXHAUSTED,
      'etcdserver: mvcc: database space exceeded',
    ])
    const full = await api.call(KV.method.range, { key: KEY })

    await kill(started.pop() ?? expect.fail('nothing was started'))
    api = await connect(start(flags))
    await expectOutOfSpace(api)
    const { kvs, header } = await api.call(KV.method.range, { key: KEY })
    expect(kvs).to.deep.equal(full.kvs)
    await api.call(KV.method.deleteRange, { key: Buffer.from('absent') })
    const before = await api.call(Maintenance.method.status, {})
    await api.call(KV.method.compact, { revision: header?.revision ?? 0n, physical: true })
    await api.call(Maintenance.method.defragment, {})
    const after = await api.call(Maintenance.method.status, {})
    expect(Number(after.dbSize)).to.be.lessThan(Number(before.dbSize) / 4)
    expect((await failureOf(put(api))).code, 'still armed').to.equal(status.RESOURCE_EXHAUSTED)
    await api.call(Maintenance.method.alarm, { action: AlarmRequest_AlarmAction.DEACTIVATE, ...noSpaceOf(before) })
    await put(api)

    await kill(started.pop() ?? expect.fail('nothing was started'))
    api = await connect(start(flags))
    expect((await api.call(Maintenance.method.alarm, {})).alarms).to.deep.equal([])
    await put(api)
  })

  it('says how far it is while it replays a long log', async function () {
    this.timeout(90_000)
    const api = await connect(start())
    await Promise.all(Array.from({ length: 1000 }, (_, index) => api.call(KV.method.txn, { success: puts(index) })))
    const { hash } = await api.call(Maintenance.method.hashKV, {})
    await kill(started.pop() ?? expect.fail('nothing was started'))

    const quick = start()
    await connect(quick)
    let tookMs = await tookToStart(quick)
    let line: string | undefined
    for (let attempt = 0; line === undefined && attempt < ATTEMPTS_MOST; attempt++) {
      await kill(started.pop() ?? expect.fail('nothing was started'))
      const slow = start()
      await slow.logged('effective configuration')
      await delay(tookMs * (PARTS[attempt % PARTS.length] ?? 1))
      slow.kill('SIGSTOP')
      await delay(LINE_INTERVAL_MS)
      slow.kill('SIGCONT')
      expect((await (await connect(slow)).call(Maintenance.method.hashKV, {})).hash).to.equal(hash)
      line = slow.log.map(({ msg }) => msg).find((msg) => msg.startsWith('replay '))
      tookMs = Math.min(tookMs, (await tookToStart(slow)) - LINE_INTERVAL_MS)
    }
    expect(line).to.match(/^replay \d+ % \d+k?\/1k records \d+k?\/s eta \d+s$/)
  })

  it('is refused data that a stopped process still has, naming that process, which goes on unharmed', async () => {
    const first = start()
    const api = await connect(first)
    await api.call(KV.method.put, { key: KEY, value: KEY })
    first.kill('SIGSTOP')
    const second = start()
    const { code, stderr } = await second.finished
    expect(code).to.equal(1)
    expect(stderr).to.include('"code":"LOCKED"').and.to.include(String(first.child.pid))
    first.kill('SIGCONT')
    await api.call(KV.method.put, { key: KEY, value: KEY })
    expect((await api.call(KV.method.range, { key: KEY })).kvs[0]?.version).to.equal(2n)
  })

  describe('on damaged data', () => {
    /** Content of the store before the damage. */
    let hash: number
    beforeEach(async () => {
      const api = await connect(start(SMALL_FILES))
      for (let count = 0; count < 120; count++) {
        await api.call(KV.method.put, { key: Buffer.from(`${count % 10}`), value: Buffer.alloc(50_000, `${count}`) })
        if (count % 30 === 29) await api.call(KV.method.compact, { revision: BigInt(count - 10) })
      }
      hash = (await api.call(Maintenance.method.hashKV, {})).hash
      const [keta] = started
      keta?.kill('SIGTERM')
      expect((await keta?.finished)?.code).to.equal(0)
      expect(filesIn('log').length, 'segments').to.be.at.least(2)
      expect(filesIn('snap').length, 'snapshots').to.equal(2)
    })

    function filesIn(folder: string): readonly string[] {
      return readdirSync(join(directory, folder))
        .sort()
        .map((name) => join(directory, folder, name))
    }

    it('in the middle of the log: exits with 1, names file and byte, and alters nothing', async () => {
      const [segment = ''] = filesIn('log')
      damage(segment, 500_000)
      const copy = join(temporaryDirectory('server-restart-copy'), 'data')
      cpSync(directory, copy, { recursive: true })
      const { code, stderr } = await start(SMALL_FILES, copy).finished
      expect(code).to.equal(1)
      const found = /(\S+\.log)\D+(\d+)/.exec(lastWords(stderr))
      expect(found?.[1]).to.include(segment.slice(directory.length))
      expect(Number(found?.[2])).to.be.within(500_000 - 60_000, 500_000)
      for (const path of filesIn('log')) expectSameFile(path, join(copy, path.slice(directory.length)))
    })

    it('in the newest snapshot: says so, and starts from the older one with nothing missing', async () => {
      const [older = '', newest = ''] = filesIn('snap')
      expect(older).not.to.equal('')
      damage(newest, Math.floor(statSync(newest).size / 2))
      const keta = start(SMALL_FILES)
      expect((await (await connect(keta)).call(Maintenance.method.hashKV, {})).hash).to.equal(hash)
      expect(errorsOf(keta).map(({ msg }) => msg)).to.deep.equal(['a snapshot is damaged; trying the next older one'])
    })

    it('in both snapshots: exits with 1, because the log no longer reaches back to the beginning', async () => {
      for (const snapshot of filesIn('snap')) damage(snapshot, Math.floor(statSync(snapshot).size / 2))
      const { code, stderr } = await start(SMALL_FILES).finished
      expect(code).to.equal(1)
      expect(lastWords(stderr)).to.include('OUT_OF_RANGE').and.to.include('restore')
    })
  })
})

/** Rejects with the refusal, which must come before the quota has been written many times over. */
async function putUntilRefused(put: () => Promise<unknown>): Promise<void> {
  for (let count = 0; count < 200; count++) await put()
}

async function expectOutOfSpace(api: ApiClient): Promise<void> {
  const { alarms } = await api.call(Maintenance.method.alarm, {})
  expect(alarms.map(({ alarm }) => alarm)).to.deep.equal([AlarmType.NOSPACE])
  const refused = await Promise.all([
    failureOf(api.call(KV.method.put, { key: KEY })),
    failureOf(api.call(KV.method.txn, { failure: puts(0) })),
    failureOf(api.call(Lease.method.leaseGrant, { TTL: 10n })),
  ])
  for (const { code } of refused) expect(code).to.equal(status.RESOURCE_EXHAUSTED)
  const { kvs } = await api.call(KV.method.range, ALL)
  expect(kvs).to.have.lengthOf(1)
}

/** The alarm of the member that was asked. */
function noSpaceOf({ header }: StatusResponse) {
  return { memberID: header?.memberId ?? 0n, alarm: AlarmType.NOSPACE }
}

async function tookToStart(keta: KetaProcess): Promise<number> {
  return Number((await keta.logged('ready to serve client requests'))['took-ms'])
}

function puts(index: number) {
  return Array.from({ length: 128 }, (_, sub) => ({
    request: { case: 'requestPut' as const, value: { key: Buffer.from(`${index % 50}/${sub}`), value: FILLER } },
  }))
}

/** Turns a few bytes into others. */
function damage(path: string, position: number): void {
  const file = openSync(path, 'r+')
  const before = Buffer.alloc(4)
  readSync(file, before, 0, before.length, position)
  writeSync(
    file,
    before.map((byte) => byte ^ 0xff),
    0,
    before.length,
    position,
  )
  closeSync(file)
}

function expectSameFile(left: string, right: string): void {
  expect(readFileSync(left).equals(readFileSync(right)), right).to.equal(true)
}

/** The last line of a log. */
function lastWords(stderr: string): string {
  return stderr.trim().split('\n').at(-1) ?? ''
}
