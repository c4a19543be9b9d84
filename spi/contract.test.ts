import { expect } from 'chai'
import fc from 'fast-check'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Capabilities, requireCapabilities } from './capabilities.ts'
import { isCoordinationError } from './errors.ts'
import * as spi from './index.ts'
import { consoleLogger, silentLogger } from './logger.ts'
import { pluginContext } from './plugin-context.ts'
import { leaseDeadline } from './session.ts'

const PUBLIC = [
  ...['API_VERSION', 'CLOCK_RATE_ERROR', 'CoordinationError', 'DEFAULT_CLUSTER_ID', 'DEFAULT_SESSION_TIMEOUT_MS'],
  ...['ERROR_CODES', 'MAX_ID_BYTES', 'Secret', 'checkConfig', 'checkData', 'checkId', 'checkKey', 'checkNamespace'],
  ...['childOf', 'compareKeys', 'configTable', 'consoleLogger', 'defineConfig', 'isCoordinationError', 'keySets'],
  ...['lead', 'leaseDeadline', 'makeEntry', 'modify', 'parseConfig', 'parseToken', 'pluginContext', 'prefixOf'],
  ...['printableConfig', 'requireCapabilities', 'sameBytes', 'silentLogger', 'steadyNow', 'systemClock', 'toBytes'],
  ...['toText', 'values', 'versionOf'],
]

const PUBLIC_TYPES = [
  ...['Capabilities', 'Clock', 'ClockSources', 'ConfigCheck', 'ConfigDef', 'ConfigItem', 'ConfigType', 'ConfigTypes'],
  ...['ConfigValues', 'CreateOptions', 'Data', 'Effect', 'Entry', 'ErrorCode', 'ErrorDetails', 'Fence', 'FencingToken'],
  ...['GroupChangeListener', 'GroupMembershipClient', 'IterateOptions', 'JoinOptions', 'KeySetChangeListener'],
  ...['LeaderChangeListener', 'LeaderElectionClient', 'LeaderInfo', 'Leadership', 'Lifecycle', 'Limited'],
  ...['ListenOptions', 'ListenerRegistry', 'Logger', 'LossReason', 'Member', 'Membership', 'ModifyOptions'],
  ...['NominateOptions', 'OpOptions', 'ParseOptions', 'PluginContext', 'PluginHost', 'PluginLocator'],
  ...['PluginLocatorClass', 'ReadOptions', 'Renewal', 'Requirements', 'Session', 'SessionListener', 'SessionState'],
  ...['Storage', 'StorageOp', 'ValueChangeListener', 'Version', 'WriteOptions'],
]

const folder = fileURLToPath(new URL('.', import.meta.url))

describe('the public contract', () => {
  it('has exactly these values', () => {
    expect(Object.keys(spi).sort()).to.deep.equal(PUBLIC.sort())
  })

  it('has exactly these types', () => {
    const source = readFileSync(`${folder}index.ts`, 'utf8').replace(/\/\*[^]*?\*\//g, '')
    const names = [...source.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, allTypes, list = '']) =>
      list
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '' && (allTypes !== undefined || name.startsWith('type ')))
        .map((name) => name.replace(/^type /, '')),
    )
    expect(names.sort()).to.deep.equal(PUBLIC_TYPES.sort())
  })

  it('imports nothing but itself', () => {
    const files = ['', 'config/', 'helpers/'].flatMap((part) =>
      readdirSync(folder + part)
        .filter((name) => /(?<!\.test|\.fixture)\.ts$/.test(name))
        .map((name) => part + name),
    )
    expect(files).to.include('storage.ts').and.include('helpers/modify.ts')
    for (const file of files) {
      const imported = [...readFileSync(folder + file, 'utf8').matchAll(/(?:from|import\()\s*'([^']*)'/g)]
      for (const [, target] of imported) expect(target, file).to.match(/^\.{1,2}\/(?!node\/)[\w./-]+\.ts$/)
    }
  })
})

const capabilities: Capabilities = {
  backend: 'test',
  persistent: true,
  multiProcess: true,
  linearizableReads: true,
  atomicFencing: false,
  snapshotScan: false,
  transactions: { maxOps: 10 },
  notifications: { mode: 'poll', maxLagMs: 500 },
  session: { minTtlMs: 1000, granularityMs: 1000 },
  limits: { maxKeyBytes: 512, maxValueBytes: 524_288 },
}

describe('requireCapabilities', () => {
  it('is content with what is there', () => {
    requireCapabilities(capabilities, { persistent: true, transactionOps: 10, maxLagMs: 500, valueBytes: 524_288 })
    requireCapabilities({ ...capabilities, transactions: false }, {})
  })

  it('names all that is lacking at once', () => {
    const required = {
      persistent: true,
      atomicFencing: true,
      transactionOps: 11,
      maxLagMs: 499,
      valueBytes: 1e6,
    } as const
    try {
      requireCapabilities(capabilities, required)
      expect.fail('nothing was thrown')
    } catch (error) {
      if (!isCoordinationError(error, 'UNSUPPORTED')) throw error
      expect(error.backend).to.equal('test')
      expect(error.message).to.match(/atomicFencing.*11 operations.*499 ms.*1000000 bytes/)
      expect(error.message).not.to.contain('persistent')
    }
  })
})

describe('the deadline of a lease', () => {
  it('is earlier than any moment at which the store may end it', () => {
    const span = { min: 0, max: 60_000, noNaN: true }
    fc.assert(
      fc.property(
        fc.record({
          sentAt: fc.double(span),
          onTheWay: fc.double(span),
          ttlMs: fc.double({ ...span, min: 1000 }),
          granularityMs: fc.double({ ...span, max: 1000 }),
          skewMs: fc.double({ ...span, max: 500 }),
          rate: fc.double({ min: 0.9901, max: 1.0099, noNaN: true }),
          early: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        ({ onTheWay, rate, early, ...renewal }) => {
          // the store counts from the request's arrival, with its own clock, and ends leases in coarse steps
          const { sentAt, ttlMs, granularityMs, skewMs } = renewal
          const end = sentAt + onTheWay + (ttlMs - early * (granularityMs + skewMs)) * rate
          expect(leaseDeadline(renewal)).to.be.at.most(end)
        },
      ),
    )
  })

  it('is what the rule says', () => {
    expect(leaseDeadline({ sentAt: 1_000, ttlMs: 10_000, granularityMs: 1_000 })).to.equal(9_900)
    expect(leaseDeadline({ sentAt: 1_000, ttlMs: 10_000, granularityMs: 1_000, skewMs: 100 })).to.equal(9_800)
  })
})

describe('the context of a plugin', () => {
  it('is filled up with defaults', () => {
    const context = pluginContext({ logger: silentLogger })
    expect(context).to.include({ clusterId: 'kafka', sessionTimeoutMs: 6000, logger: silentLogger })
    expect(context.config).to.deep.equal({})
    expect(pluginContext({ random: () => 0.5 }).random()).to.equal(0.5)
    expect(pluginContext().logger).to.equal(consoleLogger)
  })

  it('refuses a session timeout or a cluster id that cannot be', () => {
    for (const sessionTimeoutMs of [0, -1, NaN, Infinity]) {
      expect(() => pluginContext({ sessionTimeoutMs })).to.throw('sessionTimeoutMs')
    }
    expect(() => pluginContext({ clusterId: '' })).to.throw('clusterId')
  })
})
