/**
 * Runs tests: `node scripts/test.mjs [GROUP[,GROUP]] [mocha's arguments]`; without a group, all but the soak.
 * unit: the tests beside the code. system: real processes and servers, against a fresh build; its parts are server, for
 * Keta itself, examples, backends, with how their servers are started, and three-nodes, for a Cassandra of so many.
 * soak: system, at full length. grpc-js: some of the system tests, on the transport that is not the default; any test
 * runs on it with KETA_TRANSPORT=grpc-js.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT, setUpOrExit } from './setup.mjs'

const UNIT = [
  '{keta,keta/!(test)/**,spi/**,backends/**,conformance/**,bench/**,scripts/**,examples/**}/!(*.system).test.ts',
]
const SERVER = ['keta/test/**/*.test.ts', '{keta/!(test),bench}/**/*.system.test.ts']
const EXAMPLES = ['examples/**/*.system.test.ts']
const BACKENDS = [
  'test-servers/**/*.test.ts',
  ...['backends/!(cassandra)/**/*.system.test.ts', 'backends/cassandra/**/!(three-nodes*).system.test.ts'],
]
// They want all of a small machine
const THREE_NODES = ['backends/cassandra/three-nodes*.system.test.ts']
// One client of each kind, and one seed of the comparison with etcd
const GRPC_JS = ['etcdctl', 'tls', 'http-server', 'differential/differential'].map(
  (name) => `keta/test/${name}.test.ts`,
)
const SYSTEM = [...SERVER, ...EXAMPLES, ...BACKENDS, ...THREE_NODES]
/** @type {Readonly<Record<string, readonly string[]>>} */
const SPECS = {
  ...{ unit: UNIT, server: SERVER, examples: EXAMPLES, backends: BACKENDS, 'three-nodes': THREE_NODES },
  ...{ 'grpc-js': GRPC_JS, system: SYSTEM, soak: SYSTEM, all: [...UNIT, ...SYSTEM] },
}

const [first = 'all', ...rest] = process.argv.slice(2)
const named = first.split(',')
const isGroup = named.every((name) => Object.hasOwn(SPECS, name))
const groups = isGroup ? named : ['all']
const mochaArguments = isGroup ? rest : [first, ...rest]

setUpOrExit({ build: groups.some((group) => group !== 'unit') })

const forbidSkips = process.env['CI'] === 'true' ? ['--forbid-pending'] : []
const { status, signal } = spawnSync(
  process.execPath,
  [
    join(ROOT, 'node_modules/mocha/bin/mocha.js'),
    ...forbidSkips,
    ...mochaArguments,
    ...groups.flatMap((group) => SPECS[group] ?? []),
  ],
  {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      ...(groups.includes('soak') ? { KETA_SCALE: 'full' } : {}),
      ...(groups.includes('grpc-js') ? { KETA_TRANSPORT: 'grpc-js', KETA_SEED: '1' } : {}),
    },
  },
)
if (signal !== null) console.error(`mocha was ended by ${signal}`)
process.exitCode = status ?? 1
