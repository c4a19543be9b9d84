/** From command line, environment and files to one configuration, or to all its problems. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Environment } from './environment.ts'
import { type Invocation, readInvocation } from './resolve.ts'

describe('the configuration', () => {
  let directory: string
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'keta-config-'))
  })
  after(() => {
    rmSync(directory, { recursive: true })
  })

  function file(name: string, text: string): string {
    const path = join(directory, name)
    writeFileSync(path, text)
    return path
  }

  function read(words: string[], environment: Environment = {}): Invocation {
    const invocation = readInvocation(words, environment)
    const strip = (text: string): string => text.replaceAll(`${directory}/`, '')
    return { ...invocation, problems: invocation.problems.map(strip), warnings: invocation.warnings.map(strip) }
  }

  function config(words: string[], environment: Environment = {}) {
    const { resolved, problems } = read(words, environment)
    expect(problems).to.deep.equal([])
    return resolved!.config
  }

  it('has a default for everything', () => {
    const values = config([])
    expect(values).to.include({ name: 'default', dataDir: 'default.keta', quotaBackendBytes: 2 ** 31, maxTxnOps: 128 })
    expect(values).to.include({ maxRequestBytes: 1572864, watchProgressNotifyInterval: 600_000, logLevel: 'info' })
    expect(values.listenClientUrls.map((url) => url.href)).to.deep.equal(['http://127.0.0.1:2379'])
    expect(values.advertiseClientUrls).to.deep.equal([])
  })

  it('names the data directory after the member', () => {
    expect(config(['--name', 'n1']).dataDir).to.equal('n1.keta')
    expect(config(['--name', 'n1', '--data-dir', '/d']).dataDir).to.equal('/d')
  })

  it('takes a flag before the environment, KETA_ before ETCD_, and these before the file', () => {
    const path = file('p.yaml', 'name: from-file\nmax-txn-ops: 5\n')
    const environment = { ETCD_NAME: 'etcd', KETA_NAME: 'keta', ETCD_DATA_DIR: '/etcd' }
    expect(config([path]).name).to.equal('from-file')
    expect(config([path], { ETCD_NAME: 'etcd' }).name).to.equal('etcd')
    expect(config([path], environment)).to.include({ name: 'keta', dataDir: '/etcd', maxTxnOps: 5 })
    expect(config([path, '--name=flag'], environment)).to.include({ name: 'flag', dataDir: '/etcd', maxTxnOps: 5 })
    expect(config(['--name=a', '--name=b']).name).to.equal('b')
  })

  it('takes an empty variable as none', () => {
    expect(config([], { KETA_NAME: '', ETCD_NAME: 'e' }).name).to.equal('e')
  })

  it('says where each value comes from', () => {
    const path = file('s.yaml', '# c\nname: n\n')
    const { effective } = read(['--config-file', path, '--max-txn-ops=7'], { ETCD_LOG_LEVEL: 'debug' }).resolved!
    const sources = Object.fromEntries(effective.map(({ flag, value, source }) => [flag, `${value} ${source}`]))
    expect(sources).to.include({
      name: `n ${path}:2`,
      'max-txn-ops': '7 --max-txn-ops',
      'log-level': 'debug ETCD_LOG_LEVEL',
      'shutdown-grace': '5s default',
    })
  })

  const commandLines: [string[], string][] = [
    [[], 'serve'],
    [['serve'], 'serve'],
    [['check'], 'check'],
    [['--version'], 'version'],
    [['version'], 'version'],
    [['-h'], 'help'],
    [['serve', '--bogus', 'x', '--help'], 'help'],
  ]
  for (const [words, command] of commandLines) {
    it(`understands "keta ${words.join(' ')}" as ${command}`, () => {
      expect(read(words).command).to.equal(command)
    })
  }

  it("takes Go's spellings of a flag", () => {
    for (const words of [['-name', 'x'], ['--name', 'x'], ['-name=x'], ['--name=x']])
      expect(config(words).name).to.equal('x')
  })

  it("reads Java Keta's names in a .properties file, where listening on every interface is the default", () => {
    const path = file(
      'j.properties',
      'listeners=http://127.0.0.1:2999\nhost.name=h\nkafkacache.bootstrap.servers=\ndebug=false\n',
    )
    const values = config([path])
    expect(values.listenClientUrls[0]?.port).to.equal(2999)
    expect(values.hostName).to.equal('h')
    expect(config([file('e.properties', '')]).listenClientUrls[0]?.href).to.equal('http://0.0.0.0:2379')
    expect(config([file('e.yaml', '')]).listenClientUrls[0]?.href).to.equal('http://127.0.0.1:2379')
  })

  const plainText: [string, string[], Environment, string][] = [
    [
      'an https listener',
      ['--listen-client-urls=https://127.0.0.1:2379'],
      {},
      '--listen-client-urls: https://127.0.0.1:2379: a certificate is needed: cert-file and key-file, or auto-tls',
    ],
    ['--cert-file', ['--cert-file', 'x'], {}, '--cert-file: x: there is no such file'],
    ['ETCD_CERT_FILE', [], { ETCD_CERT_FILE: 'x' }, 'ETCD_CERT_FILE: x: there is no such file'],
  ]
  for (const [what, words, environment, problem] of plainText) {
    it(`never serves plain text in answer to ${what}`, () => {
      expect(read(words, environment).problems).to.deep.equal([problem])
    })
  }

  it("reads etcd's nested TLS settings, and does not print passwords of keystores", () => {
    const properties = read([file('t.properties', 'ssl.keystore.location=/k\nssl.keystore.password=hunter2\n')])
    expect(properties.problems).to.deep.equal(['t.properties:1: ssl.keystore.location: /k: there is no such file'])
    const nested = 'client-transport-security:\n  cert-file: /c\n  auto-tls: false\n  key-file:\n'
    const yaml = read([file('t.yaml', `${nested}peer-transport-security:\n  auto-tls: true\n`)])
    expect(yaml.problems).to.deep.equal(['t.yaml:2: client-transport-security.cert-file: /c: there is no such file'])
    expect(yaml.warnings.join()).to.include('peer-transport-security.auto-tls')
  })

  it("warns once for each reason about etcd's names that mean nothing here", () => {
    const words = [
      '--heartbeat-interval',
      '100',
      '--election-timeout=1000',
      '--initial-cluster=',
      '--pre-vote',
      '--name=x',
    ]
    const { warnings, resolved } = read(words, { ETCD_WAL_DIR: '/w' })
    expect(resolved?.config.name).to.equal('x')
    expect(warnings).to.have.length(2)
    expect(warnings[0]).to.match(/^no effect: --heartbeat-interval, --election-timeout, --pre-vote: /)
    expect(warnings[1]).to.match(/^no effect: ETCD_WAL_DIR: /)
  })

  it('warns about variables that are probably misspelt, but not about those of Kubernetes', () => {
    const { warnings } = read([], { KETA_DATADIR: '/x', KETA_SERVICE_HOST: '1.2.3.4', KETA_PORT_2379_TCP: 'tcp://x' })
    expect(warnings).to.deep.equal(['KETA_DATADIR is not a variable of this server; did you mean KETA_DATA_DIR?'])
  })

  const wrong: [string, string[], string][] = [
    ['an unknown flag', ['--data-dri', 'x'], '--data-dri: unknown flag; did you mean --data-dir?'],
    ['a flag like nothing', ['--xyzzy=1'], '--xyzzy: unknown flag; keta --help lists all'],
    ['an unknown flag at the end', ['--nonsense'], '--nonsense: unknown flag; keta --help lists all'],
    ['a missing value', ['--name'], '--name: the value is missing'],
    ['an unknown command', ['sevre'], 'sevre: unexpected argument; did you mean serve?'],
    ['a second command', ['serve', 'check'], 'check: a command is given already: serve'],
    ['a bad value', ['--max-txn-ops=many'], '--max-txn-ops: "many"; expected a whole number from 1 to 1000000'],
    ['an absent file', ['--config=absent.yaml'], 'absent.yaml: there is no such file'],
    [
      'a file of no known kind',
      ['--config=etcd.conf'],
      'etcd.conf: a configuration file ends in .properties, .yaml or .yml',
    ],
    [
      'a second file',
      ['/dev/null/a.yaml', '/dev/null/b.yaml'],
      '/dev/null/b.yaml: a configuration file is named already: /dev/null/a.yaml',
    ],
    [
      'a retention that does not fit its mode',
      ['--auto-compaction-mode=revision', '--auto-compaction-retention=1h'],
      '--auto-compaction-retention: expected a whole number of revisions, because --auto-compaction-mode is revision',
    ],
  ]
  for (const [what, words, problem] of wrong) {
    it(`refuses ${what}`, () => {
      expect(read(words).problems).to.include(problem)
    })
  }

  it('reports all problems of a start at once, each with its place', () => {
    const path = file('all.properties', 'data.dir=/x\nlisteners=http://a\n\nlog-level=loud\n\nbad=\\uzzzz')
    const { problems } = read([path, '--max-txn-ops', '0', '--nmae=x'], { KETA_SHUTDOWN_GRACE: 'soon' })
    expect(problems.map((problem) => problem.split('; ')[0])).to.have.members([
      '--nmae: unknown flag',
      '--max-txn-ops: "0"',
      'KETA_SHUTDOWN_GRACE: "soon"',
      'all.properties:1: data.dir: unknown key',
      'all.properties:2: listeners: http://a: the port is missing',
      'all.properties:4: log-level: "loud"',
      'all.properties:6: malformed \\u escape: four hexadecimal digits must follow',
    ])
  })

  it('refuses two names for one option in a file, and warns about a repeated line', () => {
    const both = read([file('b.properties', 'listeners=http://a:1\nlisten-client-urls=http://b:1\n')])
    expect(both.problems[0]).to.equal(
      'b.properties:2: listen-client-urls and listeners (b.properties:1) mean the same option; keep one of them',
    )
    const twice = read([file('w.properties', 'name=a\nname=b\n')])
    expect(twice.resolved?.config.name).to.equal('b')
    expect(twice.warnings).to.deep.equal(['w.properties:2: name stands on line 1 too; this one counts'])
  })

  it('does not take Java names outside .properties files', () => {
    expect(read([file('n.yaml', 'listeners: http://a:1\n')]).problems[0]).to.include('n.yaml:1: listeners: unknown key')
  })

  it('reads YAML: lists, quoted and plain values as they are written, comments, anchors', () => {
    const path = file(
      'y.yaml',
      'listen-client-urls: [http://a:1, "http://b:2"]\nname: 0123\nmax-txn-ops: &n 10\n' +
        'watch-progress-notify-interval: "5s" # c\n',
    )
    const values = config([path])
    expect(values.listenClientUrls.map((url) => url.host)).to.deep.equal(['a', 'b'])
    expect(values).to.include({ name: '0123', maxTxnOps: 10, watchProgressNotifyInterval: 5000 })
  })

  const badYaml: [string, string][] = [
    ['name: [', 'y.yaml:1: '],
    ['a: b\nname: x\nname: y', 'y.yaml:3: Map keys must be unique'],
    ['- a\n- b', 'y.yaml:1: expected lines of the form'],
    ['just text', 'y.yaml:1: expected lines of the form'],
    ['name: x\nlisten-client-urls:\n  - [a]\n', 'y.yaml:3: listen-client-urls: expected a single value or a list'],
  ]
  for (const [text, problem] of badYaml) {
    it(`names the line of a mistake in YAML: ${JSON.stringify(text)}`, () => {
      expect(read([file('y.yaml', text)]).problems.some((line) => line.startsWith(problem))).to.equal(true)
    })
  }
})
