/** Cases L1–L3: how a backend is found, configured and started, or not. */
import { expect } from 'chai'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  API_VERSION,
  type ConfigDef,
  isCoordinationError,
  pluginContext,
  type PluginLocatorClass,
} from '../../spi/index.ts'
import { findPlugin, type FoundPlugin } from '../../spi/node/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { StartInVainArgs, VainStart } from './lifecycle-routines.ts'
import {
  describe,
  everyCall,
  findTheirs,
  folderOf,
  keepLog,
  load,
  readServerProperties,
  servicesOf,
  settled,
  settlesWithin,
  writeProperties,
} from './lifecycle-steps.ts'
import { refusal } from './storage-steps.ts'

export const lifecycleLoading: readonly ConformanceCase[] = [
  { id: 'L1', title: 'is found by every form of its name, and a wrong one is refused before it connects', run: names },
  { id: 'L2', title: 'tells all that is wrong with its configuration at once, and never a secret', run: configuration },
  { id: 'L3a', title: 'refuses calls before its start, and a second start', run: beforeStart },
  {
    id: 'L3b',
    title: 'gives up starting in time where nothing answers, and keeps no process alive for it',
    needs: ['links', 'processes'],
    run: startInVain,
  },
]

/** What `timeoutMs` may be exceeded by. */
const TIME_SLACK_MS = 250

async function names(given: Given): Promise<void> {
  const link = await given.link()
  const server = await readServerProperties(given, link)
  const { locatorClass, module } = await findPlugin(server)
  const folder = await folderOf(given)
  const forms = await writeForms(folder, locatorClass, module)
  for (const [form, extra] of [[server['plugin.locator.classname'] ?? '', {}] as const, ...forms]) {
    const named = { ...server, ...extra, 'plugin.locator.classname': form }
    const file = await writeProperties(join(folder, 'server.properties'), named)
    const found = await findPlugin(file)
    expect(found.locatorClass, `the class that ${form} stands for`).to.equal(locatorClass)
    const locator = await load(given, file)
    const { backend } = locator.getStorage().capabilities
    expect(backend, `the backend that ${form} starts`).to.equal(given.capabilities.backend)
    await locator.shutdown()
  }
  const opened = link.opened
  for (const [wrong, what] of await writeWrongForms(folder, module)) {
    const file = await writeProperties(join(folder, 'wrong.properties'), {
      ...server,
      'plugin.locator.classname': wrong,
    })
    const error = await refusal('CONFIG', `a locator that is ${what}`, load(given, file))
    expect(error.problems?.join('\n'), `the problems of a locator that is ${what}`).to.include(
      'plugin.locator.classname',
    )
    expect(error.problems?.join('\n'), `the problems of a locator that is ${what}`).to.include(wrong)
  }
  expect(link.opened, 'connections, after nothing but configurations that were refused').to.equal(opened)
}

type Form = readonly [form: string, extra: Readonly<Record<string, string>>]

/** Modules beside server.properties that give out the class under test. */
async function writeForms(folder: string, locatorClass: PluginLocatorClass, module: string): Promise<Form[]> {
  const exported = Object.entries((await import(module)) as Readonly<Record<string, unknown>>)
  const exportName = exported.find(([, value]) => value === locatorClass)?.[0]
  if (exportName === undefined) throw new Error(`${module} does not export the class that was found in it`)
  const giveOut = (as: string) => `export { ${exportName} as ${as} } from ${JSON.stringify(module)}\n`
  const home = join(folder, 'plugins', 'acme-coordination')
  await mkdir(home, { recursive: true })
  await writeFile(join(folder, 'named.mjs'), giveOut('Wanted'))
  await writeFile(join(folder, 'default.mjs'), giveOut('default'))
  await writeFile(join(home, 'locator.mjs'), giveOut('Wanted'))
  const manifest = { name: 'acme-coordination', type: 'module', exports: './locator.mjs' }
  await writeFile(join(home, 'package.json'), JSON.stringify(manifest))
  return [
    [`${module}#${exportName}`, {}],
    ['./named.mjs#Wanted', {}],
    ['./default.mjs', {}],
    ['acme-coordination#Wanted', { 'plugin.additional.modules': 'plugins' }],
  ]
}

async function writeWrongForms(folder: string, module: string): Promise<[specifier: string, what: string][]> {
  const old = `export class Old {
    static apiVersion = ${API_VERSION + 1}
    static configDef = {}
    startup() {} shutdown() {} getStorage() {} getListenerRegistry() {} getGroupMembership() {} getLeaderElection() {}
  }\n`
  await writeFile(join(folder, 'old.mjs'), old)
  await writeFile(join(folder, 'other.mjs'), `export class Other { static apiVersion = 1; static configDef = {} }\n`)
  return [
    ['./absent.mjs#Wanted', 'a module that does not exist'],
    ['no-such-package#Wanted', 'a package that does not exist'],
    [`${module}#NoSuchExport`, 'an export that does not exist'],
    ['./old.mjs#Old', 'of another version of the interface'],
    ['./other.mjs#Other', 'another class'],
  ]
}

async function configuration(given: Given): Promise<void> {
  const link = await given.link()
  const server = await readServerProperties(given, link)
  const found = await findTheirs(given)
  const { configDef } = found.locatorClass
  const good = found.context.config
  const bad = wrongValues(configDef)
  await badValuesTold(given, found, server, { ...good, ...bad })
  await missingTold(given, found, server)
  await unknownTold(given, server, good, Object.keys(configDef)[0] ?? 'plugin.name')
  await secretsKept(given, server, { good, bad, configDef })
}

async function badValuesTold(
  given: Given,
  { locatorClass }: FoundPlugin,
  server: Readonly<Record<string, string>>,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const wrong = Object.keys(wrongValues(locatorClass.configDef))
  if (wrong.length === 0) return
  await allToldAtOnce(given, locatorClass, server, config, wrong)
}

async function missingTold(
  given: Given,
  { locatorClass, context }: FoundPlugin,
  server: Readonly<Record<string, string>>,
): Promise<void> {
  const required = Object.entries(locatorClass.configDef).flatMap(([name, item]) =>
    item.default === undefined ? name : [],
  )
  if (required.length === 0) return
  const config = Object.fromEntries(Object.entries(context.config).filter(([name]) => !required.includes(name)))
  await allToldAtOnce(given, locatorClass, server, config, required)
}

/** Both ways in: by the loader, and by a host that brings the configuration itself. */
async function allToldAtOnce(
  given: Given,
  locatorClass: PluginLocatorClass,
  server: Readonly<Record<string, string>>,
  config: Readonly<Record<string, string>>,
  names: readonly string[],
): Promise<void> {
  const folder = await folderOf(given)
  const file = await writeProperties(join(folder, 'plugin.properties'), config)
  const locator = new locatorClass()
  given.after(() => locator.shutdown())
  const { logger } = keepLog()
  const host = { config, logger, clusterId: given.clusterId, sessionTimeoutMs: given.T }
  const ways = [
    () => load(given, { ...server, 'plugin.configuration.file': file }, { logger }),
    () => locator.startup(file, host),
  ]
  for (const start of ways) {
    const error = await refusal('CONFIG', `a start with ${names.length} wrong properties`, start())
    for (const name of names) {
      expect(error.problems?.join('\n'), 'the problems that the error lists').to.include(name)
    }
    expect(error.problems?.length, `how many problems are listed of ${names.length}`).to.be.at.least(names.length)
  }
}

async function unknownTold(
  given: Given,
  server: Readonly<Record<string, string>>,
  good: Readonly<Record<string, string>>,
  known: string,
): Promise<void> {
  const misspelt = `${known}x`
  const { lines, logger } = keepLog()
  const locator = await load(given, server, { logger, config: { ...good, [misspelt]: 'zzz' } })
  expect(inspect(lines, { depth: 10 }), 'what is logged of an unknown property').to.include(misspelt)
  await locator.shutdown()
}

async function secretsKept(
  given: Given,
  server: Readonly<Record<string, string>>,
  {
    good,
    bad,
    configDef,
  }: {
    readonly good: Readonly<Record<string, string>>
    readonly bad: Readonly<Record<string, string>>
    readonly configDef: ConfigDef
  },
): Promise<void> {
  const secret = `hush-${Math.floor(given.random() * 1e12)}`
  const names = Object.entries(configDef).flatMap(([name, item]) => (item.type === 'password' ? name : []))
  const secrets = Object.fromEntries(names.map((name) => [name, secret]))
  const misspelt = Object.fromEntries(names.map((name) => [`${name}x`, secret]))
  for (const config of [
    { ...good, ...secrets, ...misspelt },
    { ...good, ...bad, ...secrets, ...misspelt },
  ]) {
    const { lines, logger } = keepLog()
    const starting = load(given, server, { logger, config })
    const outcome = await settled(starting.then((locator) => locator.shutdown()))
    const error = outcome.is === 'rejected' ? outcome.error : undefined
    if (error !== undefined && !isCoordinationError(error)) {
      throw new Error(`a start with a password ${describe(outcome)}`, { cause: error })
    }
    const told = [
      inspect(lines, { depth: 10, showHidden: true }),
      inspect(error, { depth: 10, showHidden: true }),
      JSON.stringify([lines, error, error?.problems]),
      String(error),
    ]
    for (const text of told) expect(text.includes(secret), 'whether a password is in a log or an error').to.equal(false)
  }
}

/** Of each property whose type can be missed. */
function wrongValues(configDef: ConfigDef): Record<string, string> {
  const wrong = { int: 'seven', bool: 'perhaps' } as const
  const named = Object.entries(configDef).flatMap(([name, { type }]) =>
    type === 'int' || type === 'bool' ? [[name, wrong[type]] as const] : [],
  )
  return Object.fromEntries(named)
}

async function beforeStart(given: Given): Promise<void> {
  const { locatorClass } = await findTheirs(given)
  const idle = new locatorClass()
  await refusal(
    'NOT_INITIALIZED',
    'the session of a locator that is not started',
    sessionOf(() => idle.session.id),
  )
  for (const name of everyCall(given, servicesOf((await given.party('names')).locator)).map((call) => call.name)) {
    // a locator may refuse to give out a service, or give out one that refuses its calls
    const call = async () =>
      everyCall(given, servicesOf(idle))
        .find((one) => one.name === name)
        ?.run({})
    await refusal('NOT_INITIALIZED', `${name} before the start`, call())
  }
  await idle.shutdown()

  const { locator, storage, registry, group, election } = await given.party('A')
  await refusal('INVALID_ARGUMENT', 'a second startup', locator.startup('', { clusterId: given.clusterId }))
  const context = pluginContext({ clusterId: given.clusterId, logger: keepLog().logger })
  for (const service of [storage, registry, group(), election()]) {
    await refusal('INVALID_ARGUMENT', 'init of a service that a locator gave out', service.init(context))
  }
  await storage.put('/after', 'still there')
  expect(await storage.fetch('/after'), 'what a locator stores after a second start was refused').to.equal(
    'still there',
  )
}

async function sessionOf(ask: () => string): Promise<string> {
  return ask()
}

async function startInVain(given: Given): Promise<void> {
  const host = await given.process('host')
  const timeoutMs = Math.round(given.T / 2)
  for (const fault of ['refuses', 'is silent'] as const) {
    const link = await given.link()
    if (fault === 'refuses') link.cut()
    else link.blackHole('both')
    const serverProperties = await given.serverProperties(link)
    const args: StartInVainArgs = { serverProperties, timeoutMs }
    const { code, effect, tookMs } = await host.run<VainStart>('startInVain', args)
    expect(code, `the error of a start where every server ${fault}`).to.be.oneOf(['CONNECTION', 'TIMEOUT'])
    expect(tookMs, `how long a start took to give up where every server ${fault}, ms`).to.be.below(
      timeoutMs + TIME_SLACK_MS,
    )
    expect(effect, `the effect of a start where every server ${fault}`).to.be.oneOf(['none', 'unknown'])
    await given.until(
      `no connection is left of a start in vain where every server ${fault}`,
      () => link.connections === 0,
      given.T,
    )
  }
  const ended = await settlesWithin('the process that could not start a plugin', given.T + 5_000, host.end())
  expect(describe(ended), 'the exit of the process').to.equal('resolved with 0')
}
