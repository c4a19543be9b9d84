/**
 * The real etcdctl against Keta: every command is also given to a real etcd, and what is printed must be equal, but for
 * ids, terms and ports.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { ensureEtcd, startEtcd } from '../../test-servers/etcd.ts'
import { startKeta } from '../../test-servers/keta.ts'
import { provideOrSkip, type TestServer } from '../../test-servers/server.ts'
import { endAllRunning, etcdctl, type Output, RunningEtcdctl } from './etcdctl.ts'
import { HttpClient } from './http-client.fixture.ts'

/** The words of a command, or a command with what is typed into it. */
type Command = string | { readonly command: string; readonly input: string }

/** Sequences of commands whose output is compared as it is; each starts from the state that the earlier ones left. */
const SEQUENCES: Readonly<Record<string, readonly Command[]>> = {
  'puts and gets': [
    'put k v1',
    'put k v2 --prev-kv',
    'put k1 x',
    'put k2 y',
    'put l z',
    'get k',
    'get k --print-value-only',
    'get k --prefix',
    'get k --prefix --keys-only',
    'get k --prefix --count-only -w fields',
    'get k --prefix --limit 2',
    'get k --prefix --sort-by VALUE --order DESCEND',
    'get k --prefix --sort-by MODIFY --order ASCEND',
    'get k l',
    'get k --from-key',
    'get k --rev 2',
    'get k --rev 1',
    'get k --rev 1000',
    'get k --hex',
    'get k -w json',
    'get k --prefix -w json',
    'get k -w fields',
    'get k --consistency s',
    'get absent',
    'get',
    'put',
    'put k --ignore-value',
    'put absent --ignore-value',
    'put k v3 --ignore-lease',
    'put k v3 --lease 1234',
    { command: 'put from-stdin', input: 'a value\nof two lines' },
    'get from-stdin',
  ],
  deletes: [
    'put d/1 one',
    'put d/2 two',
    'put d/3 three',
    'del d/1',
    'del d/1',
    'del d/ --prefix --prev-kv',
    'get d/ --prefix',
    'put e x',
    'del e --from-key --prev-kv',
    'del e -w json',
  ],
  transactions: [
    'put t old',
    { command: 'txn', input: 'value("t") = "old"\n\nput t new\nget t\n\nget absent\n\n' },
    { command: 'txn', input: 'mod("t") < "2"\nver("t") = "2"\n\nput t never\n\nget t\ndel t --prev-kv\n\n' },
    { command: 'txn', input: 'create("t") = "0"\n\nput t again\n\n\n' },
    { command: 'txn -w json', input: 'ver("t") > "0"\n\nget t\n\n\n' },
    { command: 'txn', input: 'ver("t") > "0"\n\nput t a\nput t b\n\n\n' },
    { command: 'txn', input: 'lease("t") = "0"\n\nput t "quoted value"\n\n\n' },
    { command: 'txn', input: 'nonsense\n' },
    'get t',
  ],
  compactions: [
    'put c 1',
    'put c 2',
    'put c 3',
    'compaction 5',
    'compaction 5',
    'compaction 1000000',
    'compaction --physical 8',
    'get c --rev 3',
    'get c',
    'compaction',
  ],
  'leases by their ids': [
    'lease timetolive 4d2',
    'lease revoke 4d2',
    'lease keep-alive --once 4d2',
    'lease list',
    'lease grant',
    'lease grant 9000000001',
  ],
  'users, roles and permissions': [
    'auth status',
    'auth enable',
    { command: 'user add root --interactive=false', input: 'secret' },
    'user add alice:wonder',
    'user add alice:again',
    'user add bob --no-password',
    'role add r',
    'role grant-permission r readwrite u/ --prefix=true',
    'role grant-permission r read v w',
    'role grant-permission r write x --from-key=true',
    'role grant-permission r read b a',
    'role get r',
    'role list',
    'user grant-role alice r',
    'user grant-role alice none',
    'user grant-role root root',
    'auth enable',
    'auth status',
    'auth status --user root:secret',
    'put u/1 v --user alice:wonder',
    'put u/1 v --user alice:wrong',
    'put u/1 v',
    'put t v --user alice:wonder',
    'get u/ --prefix --user alice:wonder',
    'get u v --user alice:wonder',
    'get v --user alice:wonder',
    'put v v --user alice:wonder',
    'del u/1 --prev-kv --user alice:wonder',
    'del t --from-key --user alice:wonder',
    { command: 'txn --user alice:wonder', input: 'ver("u/1") = "0"\n\nput u/1 x\n\nget t\n\n' },
    { command: 'txn --user alice:wonder', input: 'ver("u/1") = "0"\n\nput u/1 x\n\nget u/1\n\n' },
    'user get alice --user alice:wonder',
    'user get alice --detail --user root:secret',
    'user get bob --user alice:wonder',
    'user grant-role alice root --user alice:wonder',
    'user list --user alice:wonder',
    'user list --user root:secret',
    'role list -w json --user root:secret',
    'role get r --user alice:wonder',
    'role get root --user root:secret',
    'put u/1 v --user bob:any',
    'lease list --user alice:wonder',
    'compaction 2 --user alice:wonder',
    'defrag --user alice:wonder',
    'endpoint hashkv --user alice:wonder',
    'member list --user alice:wonder -w simple',
    'watch t --user alice:wonder',
    { command: 'user passwd alice --interactive=false --user root:secret', input: 'land' },
    'get u/1 --user alice:wonder',
    'get u/1 --user alice:land',
    'role revoke-permission r u/ --prefix=true --user root:secret',
    'role revoke-permission r u/ --prefix=true --user root:secret',
    'get u/1 --user alice:land',
    'user revoke-role alice r --user root:secret',
    'user revoke-role root root --user root:secret',
    'user delete root --user root:secret',
    'user delete bob --user root:secret',
    'role delete r --user root:secret',
    'auth disable --user alice:land',
    'auth disable --user root:secret',
    'auth status',
    'user delete alice',
    'user list',
  ],
  'members, leaders and versions that are refused': [
    'member add m',
    'member add m --peer-urls=nonsense',
    'member add m --peer-urls=http://127.0.0.1',
    'member remove 1',
    'member remove x',
    'member update 1 --peer-urls=http://127.0.0.1:1',
    'member promote 1',
    'move-leader 1',
    'downgrade validate 3.4',
    'downgrade validate x',
    'downgrade enable 3.7',
    'downgrade cancel',
  ],
  maintenance: [
    'put something there',
    'alarm list',
    'alarm disarm',
    'endpoint health',
    'defrag',
    'endpoint hashkv',
    'endpoint hashkv --rev 9',
    'endpoint hashkv -w json',
    'member list -w simple',
    'member list -w json',
    'endpoint status -w json',
  ],
}

describe('etcdctl', function () {
  this.timeout(60_000)
  let etcd: TestServer
  let keta: TestServer
  const toStop: TestServer[] = []
  const servers = (): readonly TestServer[] => [etcd, keta]

  before(async function () {
    this.timeout(600_000)
    await provideOrSkip(this, ensureEtcd)
    const start = async (starting: Promise<TestServer>): Promise<TestServer> => {
      const server = await starting
      toStop.push(server)
      return server
    }
    ;[etcd, keta] = await Promise.all([start(startEtcd({ fsync: false })), start(startOther())])
  })

  afterEach(endAllRunning)

  after(async () => {
    await Promise.all(toStop.map((server) => server.stop()))
  })

  /** Runs a command against both and compares. @returns keta's output */
  async function same(command: Command): Promise<Output> {
    const { command: words, input } = typeof command === 'string' ? { command, input: '' } : command
    const [expected, actual] = await Promise.all(servers().map((server) => etcdctl(server, words.split(' '), input)))
    if (!expected || !actual) throw new Error('two servers gave fewer outputs')
    expect(comparable(actual, keta), `etcdctl ${words}`).to.deep.equal(comparable(expected, etcd))
    return actual
  }

  for (const [what, commands] of Object.entries(SEQUENCES)) {
    it(`prints for ${what} what it prints for etcd`, async () => {
      for (const command of commands) await same(command)
    })
  }

  const tables: Readonly<Record<string, () => readonly string[]>> = {
    'endpoint status': () => [keta.endpoint, 'true', 'false'],
    'member list': () => ['started', 'default', `http://${keta.endpoint}`, 'false'],
  }
  for (const [what, row] of Object.entries(tables)) {
    it(`shows the ${what} in a table`, async () => {
      const options = [...what.split(' '), '-w', 'table']
      const outputs = await Promise.all(servers().map((server) => etcdctl(server, options)))
      const [expected = [], actual = []] = outputs.map(({ stdout }) => stdout.trim().split('\n').map(cells))
      expect(actual[1]).to.deep.equal(expected[1])
      expect(actual).to.have.length(expected.length)
      expect(actual[3]).to.include.members(row())
    })
  }

  it('grants, keeps alive, shows and revokes a lease', async () => {
    await Promise.all(
      servers().map(async (server) => {
        const grant = await etcdctl(server, ['lease', 'grant', '600'])
        const [, id = ''] = /^lease ([0-9a-f]+) granted with TTL\(600s\)$/m.exec(grant.stdout) ?? []
        expect(id, grant.stdout + grant.stderr).to.match(/^[0-9a-f]{16}$/)
        const run = async (...options: string[]) => (await etcdctl(server, options)).stdout.replaceAll(id, 'ID')
        expect(await run('put', 'leased/1', 'x', '--lease', id)).to.equal('OK\n')
        expect(await run('lease', 'list')).to.equal('found 1 leases\nID\n')
        expect(await run('lease', 'keep-alive', '--once', id)).to.equal('lease ID keepalived with TTL(600)\n')
        expect(await run('lease', 'timetolive', id, '--keys')).to.match(
          /^lease ID granted with TTL\(600s\), remaining\((600|59\d)s\), attached keys\(\[leased\/1\]\)\n$/,
        )
        expect(await run('lease', 'revoke', id)).to.equal('lease ID revoked\n')
        expect(await run('lease', 'timetolive', id)).to.equal('lease ID already expired\n')
        expect(await run('get', 'leased/1')).to.equal('')
      }),
    )
  })

  const watches: readonly (readonly [string, string])[] = [
    ['a prefix', 'watch w/ --prefix'],
    ['a prefix with previous versions', 'watch w/ --prefix --prev-kv'],
    ['one key from an old revision', 'watch w/1 --rev REVISION'],
    ['a prefix from an old revision in JSON', 'watch w/ --prefix --rev REVISION -w json'],
    ['a compacted revision', 'watch w/ --prefix --rev 2'],
  ]
  for (const [what, command] of watches) {
    it(`watches ${what} as it does with etcd`, async () => {
      const outputs = await Promise.all(
        servers().map(async (server) => {
          const revision = await revisionOf(server)
          await etcdctl(server, ['put', 'w/1', 'before'])
          while ((await watchers(server)).all > 0) await delay(20)
          const running = await RunningEtcdctl.start(server, command.replace('REVISION', revision).split(' '))
          await untilWatching(server, running)
          await changesUntilSeen(server, running, command.includes('--prefix') ? /w\// : /w\/1/)
          await running.end()
          return comparable({ code: 0, stdout: running.stdout, stderr: running.stderr }, server)
        }),
      )
      expect(outputs[1]).to.deep.equal(outputs[0])
    })
  }

  it('runs a command for each event of a watch', async () => {
    const outputs = await Promise.all(
      servers().map(async (server) => {
        const script = 'echo "$ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"'
        const running = await RunningEtcdctl.start(server, ['watch', 'x/', '--prefix', '--', 'sh', '-c', script])
        await putUntilPrinted(server, running, 'x/ready')
        await etcdctl(server, ['del', 'x/ready'])
        await running.untilPrinted(/"DELETE" "x\/ready"/)
        await running.end()
        return running.stdout.split('\n').filter((line) => line.includes('DELETE'))
      }),
    )
    expect(outputs[1]).to.deep.equal(outputs[0])
  })

  it('watches interactively', async () => {
    const running = await RunningEtcdctl.start(keta, ['watch', '-i'])
    running.type('watch i/1\nwatch i/2\n')
    await putUntilPrinted(keta, running, 'i/1')
    await putUntilPrinted(keta, running, 'i/2')
    running.type('progress\n')
    await running.untilPrinted(/progress notify: \d+/)
    await running.end()
  })

  it('locks, and lets the next one in when the lock is freed', async () => {
    const first = await RunningEtcdctl.start(keta, ['lock', 'the-lock'])
    await first.untilPrinted(/the-lock\/[0-9a-f]+/)
    const second = etcdctl(keta, ['lock', 'the-lock', '--', 'sh', '-c', 'echo "key $ETCD_LOCK_KEY"'])
    const waiting = await etcdctl(keta, ['get', 'the-lock', '--prefix', '--count-only', '-w', 'fields'])
    expect(waiting.code).to.equal(0)
    expect(await first.end('SIGINT')).to.equal(0)
    const { code, stdout } = await second
    expect(stdout).to.match(/^key the-lock\/[0-9a-f]+\n$/)
    expect(code).to.equal(0)
  })

  it('elects a leader, tells observers, and elects the next when it resigns', async () => {
    const observer = await RunningEtcdctl.start(keta, ['elect', '-l', 'the-election'])
    const first = await RunningEtcdctl.start(keta, ['elect', 'the-election', 'first'])
    await first.untilPrinted(/the-election\/[0-9a-f]+\nfirst\n/)
    await observer.untilPrinted(/first/)
    const second = await RunningEtcdctl.start(keta, ['elect', 'the-election', 'second'])
    expect(await first.end('SIGINT')).to.equal(0)
    await second.untilPrinted(/the-election\/[0-9a-f]+\nsecond\n/)
    await observer.untilPrinted(/second/)
    await second.end('SIGINT')
    await observer.end('SIGINT')
  })
})

function startOther(): Promise<TestServer> {
  return process.env['KETA_DIFFERENTIAL'] === 'etcd' ? startEtcd({ fsync: false }) : startKeta()
}

async function revisionOf(server: TestServer): Promise<string> {
  const { stdout } = await etcdctl(server, ['get', 'absent', '-w', 'json'])
  return String((JSON.parse(stdout) as { header: { revision: number } }).header.revision)
}

async function watchers({ endpoint }: TestServer): Promise<{ readonly all: number; readonly behind: number }> {
  const http = new HttpClient(endpoint)
  const { body } = await http.send({ path: '/metrics' })
  http.close()
  const figure = (name: string) => Number(new RegExp(`^etcd_debugging_mvcc_${name} (.+)$`, 'm').exec(body)?.[1])
  return { all: figure('watcher_total'), behind: figure('slow_watcher_total') }
}

/** etcdctl does not say when its watch has begun; its server does. Until the end of a watch that is refused. */
async function untilWatching(server: TestServer, watch: RunningEtcdctl): Promise<void> {
  while (watch.stderr === '') {
    const { all, behind } = await watchers(server)
    if (all > 0 && behind === 0) return
    await delay(20)
  }
}

/** Puts, an overwrite and a delete, each with how it is printed: as it is, or in JSON. */
const CHANGES: readonly (readonly [string, RegExp])[] = [
  ['put w/1 first', /first|"Zmlyc3Q="/],
  ['put w/2 second', /second|"c2Vjb25k"/],
  ['put w/1 third', /third|"dGhpcmQ="/],
  ['del w/1', /DELETE|"type":1/],
  ['put w/1 last', /last|"bGFzdA=="/],
]

/** One after another: what a watch has not been told yet a server may tell it in one answer or in several. */
async function changesUntilSeen(server: TestServer, watch: RunningEtcdctl, watched: RegExp): Promise<void> {
  for (const [change, printed] of CHANGES) {
    await etcdctl(server, change.split(' '))
    if (watch.stderr === '' && watched.test(change)) await watch.untilPrinted(printed)
  }
}

/** A watch has no sign that it has begun: puts again until it sees one. */
async function putUntilPrinted(server: TestServer, watch: RunningEtcdctl, key: string): Promise<void> {
  for (let attempt = 0; !watch.stdout.includes(key); attempt++) {
    if (attempt === 100) throw new Error(`the watch never saw ${key}: ${watch.stdout}${watch.stderr}`)
    await etcdctl(server, ['put', key, String(attempt)])
  }
}

/** What must be equal: without ids and terms, storage figures, ports and times. */
function comparable({ code, stdout, stderr }: Output, server: TestServer): Output {
  return { code, stdout: withoutOwn(stdout, server), stderr: withoutOwn(stderr, server) }
}

const OWN_FIGURES = [
  'cluster_id|member_id|raft_term|ID|raftIndex|raftTerm|raftAppliedIndex|dbSize|dbSizeInUse|leader',
  'ClusterID|MemberID|RaftTerm',
].join('|')

function withoutOwn(text: string, server: TestServer): string {
  return (
    text
      .replaceAll(server.endpoint, 'ENDPOINT')
      .replace(new RegExp(`"(${OWN_FIGURES})"( ?: ?)\\d+`, 'g'), '"$1"$2N')
      .replace(/"version":"3\.6\.\d+"/g, '"version":"3.6.N"')
      .replace(/"peerURLs":(null|\[[^\]]*\]),|http:\/\/127\.0\.0\.1:\d+/g, '')
      .replace(/took = [\d.]+[mµ]?s|took [\d.]+[mµ]?s|\[[\d.]+[mµ]?s\]/g, 'took TIME')
      .replace(/"took":"[^"]*"/g, '"took":"TIME"')
      .replace(/"ts":"[^"]*"|\d{4}-\d\d-\d\dT[\d:.]+Z?/g, 'WHEN')
      .replace(/0x[0-9a-f]+|LocalAddr: '[^']*'/g, 'LOCAL')
      // an id that begins with zeros is printed without them
      .replace(/\b[0-9a-f]{11,16}\b/g, 'HEX')
  )
}

function cells(line: string): readonly string[] {
  return line.split('|').map((cell) => cell.trim())
}
