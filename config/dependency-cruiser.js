/**
 * Import rules. A part of the tree may import itself and what `mayImport` grants it, nothing else of the tree.
 * Tests and what only they use (*.arbitraries.ts, *.fixture.ts, *-suite.ts) are exempt from the layers (they may set up
 * what their subject needs), not from the other rules.
 * scripts/check-imports.mjs runs them.
 */
import { join } from 'node:path/posix'

/** Parts that must be pure: neither node:* nor packages. The linter forbids impure globals there. */
const core = ['bytes', 'mvcc', 'watch', 'lease', 'auth', 'command', 'state']

/** Of each part of keta/, what it may import of the others: a folder, or single files of it. */
const mayImport = {
  bytes: [],
  mvcc: ['bytes/'],
  command: ['bytes/', 'mvcc/kv.ts'],
  watch: ['bytes/', 'mvcc/', 'command/'],
  lease: ['bytes/', 'mvcc/', 'command/'],
  auth: ['bytes/', 'command/'],
  state: ['bytes/', 'mvcc/', 'command/', 'watch/', 'lease/', 'auth/'],
  backing: ['bytes/', 'mvcc/', 'command/', 'state/'],
  log: ['bytes/', 'kafka/client/', 'kafka/topic.ts'],
  cluster: ['transport/transport.ts'],
  kafka: ['bytes/', 'cluster/'],
  peer: ['bytes/', 'cluster/', 'transport/'],
  engine: [
    'bytes/',
    'mvcc/',
    'command/',
    'watch/',
    'lease/',
    'auth/',
    'state/',
    'cluster/',
    'backing/backing.ts',
    'log/log.ts',
    'log/snapshots.ts',
  ],
  transport: ['bytes/'],
  credentials: ['command/author.ts'],
  rpc: [
    'bytes/',
    'command/',
    'mvcc/kv.ts',
    'watch/watch.ts',
    'state/checks.ts',
    'auth/auth-store.ts',
    'credentials/credentials.ts',
    'state/backup.ts',
    'engine/api.ts',
    'cluster/peers.ts',
    'transport/transport.ts',
    'transport/failures.ts',
    'proto/',
    'recipes/',
  ],
  recipes: ['transport/transport.ts', 'proto/'],
  http: [
    ...['bytes/', 'command/command.ts', 'command/operations.ts', 'engine/api.ts', 'proto/'],
    ...['transport/transport.ts', 'transport/inner-connection.ts'],
  ],
  metrics: [
    ...['engine/api.ts', 'engine/observer.ts', 'peer/link-observer.ts', 'state/state.ts'],
    ...['transport/transport.ts', 'http/health.ts'],
  ],
  proto: [],
  config: ['../spi/node/properties.ts', 'kafka/client/client.ts'],
  observe: [],
  tls: ['config/', 'observe/logger.ts', 'peer/link-tls.ts', 'transport/front/server-tls.ts'],
}

const tests = '(\\.(test|arbitraries|fixture)\\.ts$|-suite\\.ts$|^keta/test/)'
/** @param {string} path */
const escaped = (path) => path.replaceAll('.', '\\.')

const layers = Object.entries(mayImport).map(([part, granted]) => ({
  name: `layer-${part}`,
  comment: `keta/${part} may import only: ${granted.join(', ') || 'nothing'}`,
  severity: 'error',
  from: { path: `^keta/${part}/`, pathNot: tests },
  to: {
    path: '^(keta|spi|backends|conformance|bench|test-servers|scripts|config)/',
    pathNot: `^(${[`${part}/`, ...granted].map((grant) => escaped(join('keta', grant))).join('|')})`,
  },
}))

export const forbidden = [
  ...layers,
  {
    name: 'core-is-pure',
    comment: 'the core computes: no node:*, no packages; time, randomness and effects come in as values',
    severity: 'error',
    from: { path: `^keta/(${core.join('|')})/`, pathNot: tests },
    to: { pathNot: '^(keta|spi|backends|conformance|bench|test-servers|\\.\\.?)/' },
  },
  {
    name: 'adapters-are-alternatives',
    comment: 'a log adapter knows the port, never another adapter',
    severity: 'error',
    from: { path: '^keta/log/([^/]+)/', pathNot: tests },
    to: { path: '^keta/log/[^/]+/', pathNot: '^keta/log/$1/' },
  },
  {
    name: 'port-before-adapter',
    comment: 'the log port does not know its adapters',
    severity: 'error',
    from: { path: '^keta/log/[^/]+\\.ts$', pathNot: tests },
    to: { path: '^keta/log/[^/]+/' },
  },
  {
    name: 'only-the-composition-root-knows-every-part',
    comment: 'main.ts composes; only the executable, the embedding API and tests start from it',
    severity: 'error',
    from: { path: '^keta/', pathNot: `^keta/(index|main)\\.ts$|^keta/bin/|${tests}` },
    to: { path: '^keta/(index|main)\\.ts$|^keta/bin/' },
  },
  {
    name: 'grpc-js-behind-the-transport',
    comment: 'the transport can be replaced: nothing else knows the library',
    severity: 'error',
    from: { path: '^keta/', pathNot: `^keta/(transport|peer)/|${tests}` },
    to: { path: 'node_modules/@grpc/' },
  },
  {
    name: 'lmdb-behind-the-backing',
    comment: 'where the state lies can be replaced: nothing else knows the library',
    severity: 'error',
    from: { path: '^keta/', pathNot: `^keta/backing/lmdb/|${tests}` },
    to: { path: 'node_modules/lmdb/' },
  },
  {
    name: 'no-import-of-tests',
    comment: 'what is shipped does not need what tests it',
    severity: 'error',
    from: { path: '^(keta|spi|backends)/', pathNot: tests },
    to: { path: `${tests}|^(bench|examples|test-servers|scripts|config)/` },
  },
  {
    name: 'spi-stands-alone',
    comment: 'the contract imports nothing, not even node:*; the loader beside it needs a file system',
    severity: 'error',
    from: { path: '^spi/', pathNot: `^spi/node/|${tests}` },
    to: { pathNot: '^spi/(?!node/)' },
  },
  {
    name: 'spi-loader-needs-node-only',
    severity: 'error',
    from: { path: '^spi/node/', pathNot: tests },
    to: { path: '^(keta|backends|conformance|bench|test-servers|scripts)/|node_modules/' },
  },
  {
    name: 'backends-know-only-the-spi',
    comment: 'a backend knows the SPI, what backends share, its own driver; never another backend',
    severity: 'error',
    from: { path: '^backends/([^/]+)/', pathNot: tests },
    to: {
      path: '^(keta|backends|conformance|bench|scripts)/',
      pathNot: '^(backends/$1/|backends/shared/|keta/index\\.ts$)',
    },
  },
  {
    name: 'conformance-knows-no-backend',
    severity: 'error',
    from: { path: '^conformance/', pathNot: '\\.test\\.ts$' },
    to: { path: '^(keta|backends|bench|scripts)/' },
  },
  {
    name: 'examples-are-third-parties',
    comment: 'an example has what any package has: the public names (which lead to dist/), and itself',
    severity: 'error',
    // what starts servers is not the example
    from: { path: '^examples/([^/]+)/', pathNot: '\\.system\\.test\\.ts$|^examples/demo/' },
    to: {
      path: '^(keta|spi|backends|conformance|bench|test-servers|scripts|config|examples)/',
      pathNot: '^examples/$1/',
    },
  },
  {
    name: 'the-demo-starts-servers-and-brokers',
    severity: 'error',
    from: { path: '^examples/demo/' },
    to: {
      path: '^(keta|spi|backends|conformance|bench|scripts|config|examples)/',
      pathNot: '^(examples/(demo|broker)/|keta/index\\.ts$)',
    },
  },
  { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
  { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  {
    name: 'no-undeclared-packages',
    severity: 'error',
    from: { path: '^(keta|spi|backends|conformance)/', pathNot: tests },
    // optional peers are installed here for the tests; their users bring them
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
  },
]

export const options = {
  tsPreCompilationDeps: true,
  tsConfig: { fileName: 'tsconfig.json' },
  doNotFollow: { path: 'node_modules' },
  exclude: { path: '^(dist|\\.cache)/' },
  enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
}
