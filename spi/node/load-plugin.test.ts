import { expect } from 'chai'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { configTable } from '../config/config-table.ts'
import { isCoordinationError } from '../errors.ts'
import { silentLogger } from '../logger.ts'
import type { PluginContext } from '../plugin-context.ts'
import type { PluginLocator } from '../plugin-locator.ts'
import { ALIASES } from './aliases.ts'
import { findPlugin, loadPlugin } from './load-plugin.ts'
import { parseSpecifier, resolveModule } from './resolve-module.ts'
import { SERVER_PROPERTIES } from './server-properties.ts'

/** The source of a module with a locator that records how it was used. `extra` stands in the class. */
function locatorModule(exported: string, extra = ''): string {
  return `
${exported} class Locator {
  static apiVersion = 1
  static configDef = {
    'store.hosts': { type: 'list', doc: 'Hosts.' },
    'store.port': { type: 'int', default: '1', doc: 'Port.' },
    'store.password': { type: 'password', default: null, doc: 'Password.',
      validate: (secret) => (secret.reveal() === 'sesame' ? undefined : 'is not ' + secret.reveal()) },
  }
  started = []
  shut = 0
  async startup(...args) { this.started.push(args) }
  async shutdown() { this.shut++ }
  getGroupMembership() {} getLeaderElection() {} getStorage() {} getListenerRegistry() {}
  ${extra}
}
`
}

interface Recorder {
  readonly started: [string, PluginContext, unknown][]
  readonly shut: number
}

const GOOD = 'store.hosts=a,b\n'

describe('loadPlugin', () => {
  let root = ''
  let warnings: string[] = []
  const host = { logger: { ...silentLogger, warn: (message: string) => void warnings.push(message) } }

  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'kip30-')))
    warnings = []
  })
  afterEach(() => rmSync(root, { recursive: true }))

  function write(file: string, text: string): string {
    const path = join(root, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    return path
  }

  /** A server.properties in `config/`, with a good plugin.properties beside it. */
  function server(text: string, plugin: string = GOOD): string {
    write('config/plugin.properties', plugin)
    return write('config/server.properties', `broker.id=0\n${text}\nplugin.configuration.file=plugin.properties\n`)
  }

  function writePackage(folder: string, manifest: object, files: Record<string, string>): void {
    write(join(folder, 'package.json'), JSON.stringify(manifest))
    for (const [name, text] of Object.entries(files)) write(join(folder, name), text)
  }

  async function recorded(loading: Promise<PluginLocator>): Promise<Recorder> {
    return (await loading) as unknown as Recorder
  }

  async function problemsOf(loading: Promise<unknown>): Promise<readonly string[]> {
    try {
      await loading
    } catch (error) {
      if (!isCoordinationError(error, 'CONFIG')) throw error
      expect(error).to.include({ effect: 'none', retriable: false })
      return error.problems ?? []
    }
    throw new Error('it was loaded')
  }

  it('starts the locator with the file, its contents, and what the host and server.properties say', async () => {
    write('config/locator.mjs', locatorModule('export'))
    const text =
      'plugin.locator.classname=./locator.mjs#Locator\nplugin.session.timeout.ms=9000\nplugin.cluster.id=east'
    const { started } = await recorded(loadPlugin(server(text), host, { timeoutMs: 7 }))
    const [[file, context, options]] = started as [[string, PluginContext, unknown]]
    expect(file).to.equal(join(root, 'config/plugin.properties'))
    expect(context.config).to.deep.equal({ 'store.hosts': 'a,b' })
    expect(context).to.include({ clusterId: 'east', sessionTimeoutMs: 9000, logger: host.logger })
    expect(options).to.deep.equal({ timeoutMs: 7 })
    expect(warnings).to.deep.equal([])
  })

  it('lets the host have the last word', async () => {
    write('config/locator.mjs', locatorModule('export default'))
    const given = { ...host, clusterId: 'west', sessionTimeoutMs: 1000, config: { 'store.port': '9' } }
    const { started } = await recorded(loadPlugin(server('plugin.locator.classname=./locator.mjs'), given))
    expect(started[0]?.[1]).to.include({ clusterId: 'west', sessionTimeoutMs: 1000 })
    expect(started[0]?.[1].config).to.deep.equal({ 'store.hosts': 'a,b', 'store.port': '9' })
  })

  it('takes a file name, a URL, or the properties themselves', async () => {
    const locator = pathToFileURL(write('locator.mjs', locatorModule('export'))).href
    const plugin = write('p.properties', GOOD)
    const file = server(`plugin.locator.classname=${locator}#Locator`)
    const record = { 'plugin.locator.classname': `${locator}#Locator`, 'plugin.configuration.file': plugin }
    for (const from of [file, pathToFileURL(file), pathToFileURL(file).href, record]) {
      expect((await recorded(loadPlugin(from, host))).started).to.have.length(1)
    }
  })

  it('needs no configuration file if the plugin needs no configuration', async () => {
    const locator = write('locator.mjs', locatorModule('export', 'static { this.configDef = {} }'))
    const { started } = await recorded(loadPlugin({ 'plugin.locator.classname': `${locator}#Locator` }, host))
    expect(started[0]?.[0]).to.equal('')
  })

  describe('finds the module', () => {
    const importOnly = { name: 'coordinator', type: 'module', exports: { '.': { import: './lib/main.js' } } }
    const sources = { 'lib/main.js': locatorModule('export') }

    async function loads(text: string): Promise<void> {
      expect((await recorded(loadPlugin(server(text), host))).started).to.have.length(1)
    }

    it('of a package for ES modules only, in an additional folder that holds it', async () => {
      writePackage('plugins/coordinator', importOnly, sources)
      await loads('plugin.locator.classname=coordinator#Locator\nplugin.additional.modules=../plugins')
    })

    it('in an additional folder that is the package', async () => {
      writePackage('plugins/some-checkout', importOnly, sources)
      await loads('plugin.locator.classname=coordinator#Locator\nplugin.additional.jars=../plugins/some-checkout')
    })

    it('in the node_modules of an additional folder, of several, with a scope and a subpath', async () => {
      mkdirSync(join(root, 'other'))
      const manifest = { name: '@acme/c', exports: { './kip30/*': './src/*.mjs' } }
      writePackage('app/node_modules/@acme/c', manifest, { 'src/locator.mjs': locatorModule('export default') })
      await loads('plugin.locator.classname=@acme/c/kip30/locator\nplugin.additional.modules=../other, ../app')
    })

    it('in node_modules above server.properties, after the additional folders', async () => {
      writePackage('node_modules/coordinator', importOnly, sources)
      await loads('plugin.locator.classname=coordinator#Locator')
      writePackage(
        'plugins/coordinator',
        { name: 'coordinator', main: 'wanted.mjs' },
        { 'wanted.mjs': 'export default 1' },
      )
      const text = 'plugin.locator.classname=coordinator\nplugin.additional.modules=../plugins'
      expect((await problemsOf(loadPlugin(server(text), host)))[0]).to.match(/is not a class$/)
    })

    it('by absolute path', async () => {
      await loads(`plugin.locator.classname=${write('deep/locator.mjs', locatorModule('export'))}#Locator`)
    })
  })

  it('knows the KIP-30 Cassandra plugin’s class, and passes over its jar', async () => {
    const name = 'ly.stealth.kafka.plugin.cassandra.CassandraPluginLocator'
    const found = { module: 'keta/backends/cassandra', exportName: 'CassandraPluginLocator' }
    expect(parseSpecifier(name)).to.deep.equal(found)
    const text = `plugin.additional.jars=plugin/plugin.jar\nplugin.locator.classname=${name}`
    // whether or not the backend is there, the archive is no problem
    const problems = await problemsOf(findPlugin(server(text, 'no.such.property=1'), host))
    expect(problems.join()).not.to.contain('plugin.jar')
    expect(warnings[0]).to.match(
      /server\.properties:2: plugin\.additional\.jars has plugin\/plugin\.jar, a Java archive/,
    )
  })

  it('looks for built-in backends beside itself', () => {
    for (const specifier of ALIASES.values()) {
      const { module } = parseSpecifier(specifier)
      const resolution = resolveModule(module, { base: root, additional: [] })
      const found = 'url' in resolution ? resolution.url : resolution.problem
      expect(found).to.match(new RegExp(`/${module.replace('keta/', '')}/index\\.ts`))
    }
  })

  describe('names property, line and value of', () => {
    const cases: readonly [what: string, value: string, problem: RegExp][] = [
      ['a file that is not there', './nowhere.mjs', /leads to .*nowhere\.mjs, which does not exist/],
      ['a folder', './.', /is a folder: name the file/],
      ['a package that is not there', 'no-such-package-here', /is in none of: .*plugin\.additional\.modules/],
      ['a Java class without an alias', 'org.acme.Locator', /known by alias only: .*zookeeper/],
      ['what is no specifier at all', '%', /is neither a path, nor a file URL, nor the name of a package/],
      ['an export alone', '#Locator', /names no module/],
      ['an export that is not there', './locator.mjs#Locater', /has no export Locater; did you mean #Locator\?/],
      [
        'a default export that is not there',
        './locator.mjs',
        /has no default export; it exports: Locator, later, partial/,
      ],
      ['an export that is not a class', './locator.mjs#text', /is not a class/],
      ['another version of the contract', './locator.mjs#later', /has apiVersion 2, but this host speaks version 1/],
      ['a class of another kind', './locator.mjs#partial', /it lacks startup, .*getListenerRegistry/],
      ['a class without a table', './locator.mjs#tableless', /has no static configDef/],
      ['a module that throws', './throws.mjs', /cannot be loaded from file:.*throws\.mjs: no driver/],
    ]
    for (const [what, value, problem] of cases) {
      it(what, async () => {
        const others = `
export const text = 'x'
export class later { static apiVersion = 2 }
export class partial { static apiVersion = 1; static configDef = {} }
export class tableless { static apiVersion = 1; static configDef = null }`
        write('config/locator.mjs', locatorModule('export') + others)
        write('config/throws.mjs', "throw new Error('no driver')")
        const problems = await problemsOf(loadPlugin(server(`plugin.locator.classname=${value}`), host))
        expect(problems).to.have.length(1)
        expect(problems[0]).to.match(problem)
        const beginning = `${join(root, 'config/server.properties')}:2: plugin.locator.classname is ${value}, which `
        expect(problems[0]?.startsWith(beginning)).to.equal(true)
      })
    }
  })

  it('says which package lacks an export', async () => {
    writePackage('node_modules/old', { name: 'old', exports: { require: './a.cjs' } }, {})
    writePackage('node_modules/hollow', { name: 'hollow', exports: './a.js' }, {})
    const [old] = await problemsOf(loadPlugin(server('plugin.locator.classname=old'), host))
    expect(old).to.match(/is not exported by .*old\/package\.json for ES modules/)
    const [hollow] = await problemsOf(loadPlugin(server('plugin.locator.classname=hollow'), host))
    expect(hollow).to.match(/leads to .*hollow\/a\.js, which does not exist/)
  })

  it('reports the problems of all files at once, starts nothing, and shows no secret', async () => {
    write('config/locator.mjs', locatorModule('export', "async startup() { throw new Error('started') }"))
    const plugin = 'store.port=many\nstore.password=hunter2\nstore.pasword=hunter2\nbad=\\u12\n'
    const text =
      'plugin.locator.classname=./locator.mjs#Locator\nplugin.session.timeout.ms=0\nplugin.additional.modules=../no'
    const problems = await problemsOf(loadPlugin(server(text, plugin), host))
    const file = join(root, 'config/server.properties')
    const pluginFile = join(root, 'config/plugin.properties')
    expect(problems).to.deep.equal([
      `${file}:3: plugin.session.timeout.ms must be positive, not "0"`,
      `${file}:4: plugin.additional.modules has ../no, which is not a folder`,
      `${pluginFile}:4: malformed \\u escape: four hexadecimal digits must follow`,
      `${pluginFile}: store.hosts is missing, and has no default`,
      `${pluginFile}:1: store.port must be a whole number, not "many"`,
      `${pluginFile}:2: store.password is not [hidden]`,
    ])
    expect(warnings).to.deep.equal([
      `${pluginFile}:3: store.pasword is unknown and ignored; did you mean store.password?`,
    ])
  })

  it('reports a file that is not there, and then not what it lacks', async () => {
    const unread = await problemsOf(loadPlugin(join(root, 'no.properties'), host))
    expect(unread).to.have.length(1)
    expect(unread[0]).to.match(/no\.properties: cannot be read: ENOENT/)
    write('locator.mjs', locatorModule('export'))
    const text = 'plugin.locator.classname=./locator.mjs#Locator\nplugin.configuration.file=no.properties'
    const problems = await problemsOf(loadPlugin(write('server.properties', text), host))
    expect(problems).to.have.length(1)
    expect(problems[0]).to.match(
      /server\.properties:2: plugin\.configuration\.file is no\.properties, which does not exist/,
    )
  })

  it('warns of misspelt and repeated properties of its own, and of none of the broker’s', async () => {
    write('config/locator.mjs', locatorModule('export'))
    const text =
      'plugin.locator.clasname=x\nplugin.locator.classname=./no\nplugin.locator.classname=./locator.mjs#Locator'
    await loadPlugin(server(text), host)
    expect(warnings).to.have.length(2)
    expect(warnings[0]).to.match(/:4: plugin\.locator\.classname stands on line 3 too; this one counts$/)
    expect(warnings[1]).to.match(
      /:2: plugin\.locator\.clasname is unknown .* did you mean plugin\.locator\.classname\?$/,
    )
  })

  it('shuts down a locator that could not be started, and hands on why', async () => {
    const startup = `static last
      async startup() { Locator.last = this; throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) }`
    write('config/locator.mjs', locatorModule('export', startup))
    const file = server('plugin.locator.classname=./locator.mjs#Locator')
    try {
      await loadPlugin(file, host)
      expect.fail('it was loaded')
    } catch (error) {
      if (!isCoordinationError(error, 'INTERNAL')) throw error
      expect(error.cause).to.have.property('code', 'ECONNREFUSED')
    }
    const { locatorClass } = await findPlugin(file, host)
    expect((locatorClass as unknown as { last: Recorder }).last.shut).to.equal(1)
  })

  it('starts nothing once aborted', async () => {
    write('config/locator.mjs', locatorModule('export', "async startup() { throw new Error('started') }"))
    const reason = new Error('enough')
    const loading = loadPlugin(server('plugin.locator.classname=./locator.mjs#Locator'), host, {
      signal: AbortSignal.abort(reason),
    })
    expect(await loading.catch((error: unknown) => error)).to.equal(reason)
  })

  it('is documented from the table that it checks with', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    expect(readme).to.contain(configTable(SERVER_PROPERTIES))
  })
})
