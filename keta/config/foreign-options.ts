/**
 * Names that are not options of this server but stand in the flags and files of those it takes the place of: etcd's
 * that are about its consensus protocol or its storage, and Java Keta's. Some mean nothing here and only earn a
 * warning. Others ask for what this version does not have: to go on without would serve whom it should not, so the
 * start is refused.
 */
import { type ForeignOption, java } from './foreign-option.ts'
import { KAFKACACHE } from './foreign-kafkacache.ts'

const NO_PEERS = 'there is no raft protocol here: the log decides what the order is'
const OWN_STORAGE = 'the storage is not bbolt and has no such setting'
const BY_CONTENT = 'what kind of file it is shows in it; a JKS store has to be converted to PKCS12'
const JAVA_TLS = 'TLS is that of Node.js; see cipher-suites, tls-min-version and tls-max-version'
const OTHER_TOKENS = 'set auth-token=jwt,pub-key=FILE,priv-key=FILE,sign-method=RS256 instead'
const NO_PROFILES = 'profiles are taken with Node’s own tools'
const NO_TRACING = 'tracing is not part of this version'
const NO_CHECKS = 'checks between members do not apply'

export const FOREIGN_OPTIONS: readonly ForeignOption[] = [
  ...etcd('ignored', NO_PEERS, [
    'heartbeat-interval election-timeout snapshot-count max-snapshots max-wals max-learners snapshot-catchup-entries',
    'initial-advertise-peer-urls initial-cluster initial-cluster-state initial-cluster-token listen-peer-urls',
    'raft-read-timeout raft-write-timeout discovery discovery-* experimental-snapshot-catchup-entries v2-deprecation',
  ]),
  ...etcd('ignored', 'a node has one certificate for other nodes, whoever connects', [
    'peer-client-cert-file peer-client-key-file peer-transport-security.client-cert-file',
    'peer-transport-security.client-key-file',
  ]),
  ...etcdBooleans('ignored', NO_PEERS, [
    'initial-election-tick-advance pre-vote strict-reconfig-check force-new-cluster',
  ]),
  ...etcdBooleans('ignored', 'the address of a node is not compared with its certificate', [
    'peer-skip-client-san-verification experimental-peer-skip-client-san-verification',
  ]),
  ...etcd('ignored', OWN_STORAGE, [
    'wal-dir backend-bbolt-freelist-type backend-batch-interval backend-batch-limit compaction-batch-limit',
    'experimental-compaction-batch-limit compaction-sleep-interval experimental-compaction-sleep-interval',
    'bootstrap-defrag-threshold-megabytes experimental-bootstrap-defrag-threshold-megabytes',
  ]),
  ...etcdBooleans('ignored', OWN_STORAGE, ['memory-mlock experimental-memory-mlock']),
  ...etcdBooleans('ignored', 'fsync is always done before a write is acknowledged', ['unsafe-no-fsync']),
  ...etcd('ignored', NO_CHECKS, [
    'corrupt-check-time experimental-corrupt-check-time compact-hash-check-time experimental-compact-hash-check-time',
    'downgrade-check-time experimental-downgrade-check-time feature-gates',
  ]),
  ...etcdBooleans('ignored', NO_CHECKS, [
    'experimental-initial-corrupt-check experimental-compact-hash-check-enabled experimental-enable-lease-checkpoint',
    'experimental-enable-lease-checkpoint-persist experimental-txn-mode-write-with-shared-buffer',
    'experimental-stop-grpc-service-on-defrag',
  ]),
  ...etcdBooleans('ignored', 'sockets are opened exclusively', ['socket-reuse-port socket-reuse-address']),
  ...etcdBooleans('ignored', NO_PROFILES, ['enable-pprof']),
  ...etcdBooleans('ignored', NO_TRACING, ['enable-distributed-tracing experimental-enable-distributed-tracing']),
  ...etcd('ignored', NO_TRACING, ['distributed-tracing-* experimental-distributed-tracing-*']),
  ...etcd('ignored', 'the log goes to standard error', ['logger log-outputs log-rotation-config-json']),
  ...etcdBooleans('ignored', 'the log goes to standard error', ['enable-log-rotation']),
  ...etcd('ignored', 'slow requests are not logged in this version', [
    'warning-apply-duration experimental-warning-apply-duration warning-unary-request-duration',
    'experimental-warning-unary-request-duration',
  ]),
  ...etcd('ignored', 'the server never is its own client', [
    'client-cert-file client-key-file client-transport-security.client-cert-file',
    'client-transport-security.client-key-file',
  ]),
  ...KAFKACACHE,
  java({ name: 'ssl.keystore.type', treatment: 'ignored', reason: BY_CONTENT, harmless: ['PKCS12', 'PEM'] }),
  java({ name: 'ssl.truststore.type', treatment: 'ignored', reason: BY_CONTENT, harmless: ['PKCS12', 'PEM'] }),
  java({ name: 'ssl.*', treatment: 'ignored', reason: JAVA_TLS }),
  java({ name: 'token.type', treatment: 'refused', reason: OTHER_TOKENS, harmless: ['simple'] }),
  java({ name: 'token.*', treatment: 'ignored', reason: 'the keys of tokens stand in auth-token' }),
  java({ name: 'debug', treatment: 'ignored', reason: 'it has no meaning; see log-level', harmless: ['false'] }),
]

/** The first entry that the name matches. */
export function findForeign(name: string): ForeignOption | undefined {
  return FOREIGN_OPTIONS.find((option) =>
    option.name.endsWith('*') ? name.startsWith(option.name.slice(0, -1)) : option.name === name,
  )
}

/** Whether the value asks for something: neither empty nor one that etcd or Java Keta take as "off". */
export function asksForSomething(option: ForeignOption, value: string): boolean {
  return value !== '' && !(option.harmless ?? []).includes(value)
}

type Treatment = ForeignOption['treatment']

function etcd(
  treatment: Treatment,
  reason: string,
  names: readonly string[],
  harmless: readonly string[] = [],
): readonly ForeignOption[] {
  return names
    .join(' ')
    .split(' ')
    .map((name) => ({ name, from: 'etcd', treatment, reason, harmless }))
}

function etcdBooleans(treatment: Treatment, reason: string, names: readonly string[]): readonly ForeignOption[] {
  return etcd(treatment, reason, names, ['false']).map((option) => ({ ...option, boolean: true }))
}
