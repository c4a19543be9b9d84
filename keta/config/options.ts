/**
 * The option table: the one place where an option is written down. The readers of command line, environment and files,
 * `--help`, the sample files, docs/configuration.md and the log line with the effective configuration all come from it.
 */
import { AUTH_OPTIONS } from './auth-options.ts'
import { CLUSTER_OPTIONS } from './cluster-options.ts'
import { GRPC_OPTIONS } from './grpc-options.ts'
import { HTTP_OPTIONS } from './http-options.ts'
import { KAFKA_OPTIONS } from './kafka-options.ts'
import { type Option, option } from './option.ts'
import { TLS_OPTIONS } from './tls-options.ts'
import {
  bytesKind,
  choiceKind,
  durationKind,
  integerKind,
  listenUrlsKind,
  optionalUrlsKind,
  retentionKind,
  textKind,
} from './values.ts'

/** KCache's backing caches that this server does not have, and which of its own takes their place. */
const NEAREST_CACHES: Readonly<Record<string, 'memory' | 'lmdb'>> = {
  rocksdb: 'lmdb',
  bdbje: 'lmdb',
  mapdb: 'lmdb',
  rdbms: 'lmdb',
  caffeine: 'memory',
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

export const OPTIONS = {
  name: option({
    flag: 'name',
    section: 'Member',
    kind: textKind(/^[\w.-]{1,128}$/, '1 to 128 letters, digits, dots, dashes or underscores'),
    default: 'default',
    help: 'Human-readable name of this member.',
    sameAsEtcd: true,
  }),
  dataDir: option({
    flag: 'data-dir',
    section: 'Member',
    kind: textKind(/^[^\0]+$/, 'the path of a directory'),
    default: '${name}.keta',
    help: 'Directory that holds the log and the snapshots. It is created if absent, and used by one process at a time.',
    sameAsEtcd: true,
  }),
  listenClientUrls: option({
    flag: 'listen-client-urls',
    section: 'Member',
    kind: listenUrlsKind,
    default: 'http://127.0.0.1:2379',
    propertiesDefault: 'http://0.0.0.0:2379',
    help: 'URLs to serve clients on, https:// with the certificate of --cert-file. Port 0 takes any free port.',
    sameAsEtcd: true,
    property: 'listeners',
  }),
  listenClientHttpUrls: option({
    flag: 'listen-client-http-urls',
    section: 'Member',
    kind: optionalUrlsKind,
    default: '',
    help: 'URLs to serve HTTP without gRPC on. If there are any, --listen-client-urls serves gRPC without HTTP.',
    sameAsEtcd: true,
  }),
  advertiseClientUrls: option({
    flag: 'advertise-client-urls',
    section: 'Member',
    kind: optionalUrlsKind,
    default: '',
    defaultMeans: 'the URLs listened on',
    help: 'URLs of this member that clients are told (member list).',
    sameAsEtcd: true,
  }),
  hostName: option({
    flag: 'host-name',
    section: 'Member',
    kind: textKind(/^[\w.:-]*$/, 'a host name or an address'),
    default: '',
    defaultMeans: 'the host listened on, or the name of this machine if that is every interface',
    help: 'Host in the advertised URLs where --advertise-client-urls is not given.',
    sameAsEtcd: false,
    property: 'host.name',
  }),
  quotaBackendBytes: option({
    flag: 'quota-backend-bytes',
    section: 'Limits',
    kind: bytesKind(-1, 2 ** 43),
    default: '2GiB',
    help: 'Size of the stored versions above which writes are refused (alarm NOSPACE). 0 means 2GiB, -1 no limit.',
    sameAsEtcd: true,
  }),
  maxTxnOps: option({
    flag: 'max-txn-ops',
    section: 'Limits',
    kind: integerKind(1, 1_000_000),
    default: '128',
    help: 'Most operations (and most comparisons) in one transaction.',
    sameAsEtcd: true,
  }),
  maxRequestBytes: option({
    flag: 'max-request-bytes',
    section: 'Limits',
    kind: bytesKind(1024, 256 * 2 ** 20),
    default: '1536KiB',
    help: 'Largest request that is accepted.',
    sameAsEtcd: true,
  }),
  ...GRPC_OPTIONS,
  snapshotLogBytes: option({
    flag: 'snapshot-log-bytes',
    section: 'Storage',
    kind: bytesKind(2 ** 20, 2 ** 40),
    default: '64MiB',
    help:
      'A snapshot is taken when the log has grown by this much since the last one, or by half the size of the last ' +
      'one if that is more. Less makes starts shorter and writes more.',
    sameAsEtcd: false,
  }),
  segmentBytes: option({
    flag: 'segment-bytes',
    section: 'Storage',
    kind: bytesKind(2 ** 20, 2 ** 32),
    default: '64MiB',
    help: 'Size from which a file of the log gets no further records. What snapshots cover is deleted by whole files.',
    sameAsEtcd: false,
  }),
  backingCache: option({
    flag: 'backing-cache',
    section: 'Storage',
    kind: choiceKind(['memory', 'lmdb'], NEAREST_CACHES),
    default: 'memory',
    help:
      'Where a node keeps its state. lmdb: in a file under --data-dir, which may be larger than the memory, and ' +
      'which the next start begins from. It is a copy of what the log says and can be deleted.',
    sameAsEtcd: false,
    property: 'kafkacache.backing.cache',
    remark: (text) =>
      Object.hasOwn(NEAREST_CACHES, text) ? `there is no ${text} here; ${NEAREST_CACHES[text]} is used` : undefined,
  }),
  autoCompactionMode: option({
    flag: 'auto-compaction-mode',
    section: 'Storage',
    kind: choiceKind(['periodic', 'revision']),
    default: 'periodic',
    help: 'What --auto-compaction-retention counts: periodic means a time span, revision a number of revisions.',
    sameAsEtcd: true,
  }),
  autoCompactionRetention: option({
    flag: 'auto-compaction-retention',
    section: 'Storage',
    kind: retentionKind,
    default: '0',
    help:
      'How much history automatic compaction keeps: a duration (a bare number is in hours) or, in mode revision, a ' +
      'number of revisions. 0 turns it off.',
    sameAsEtcd: true,
  }),
  watchProgressNotifyInterval: option({
    flag: 'watch-progress-notify-interval',
    section: 'Watch',
    kind: durationKind('ms', 100, DAY_MS),
    default: '10m',
    help: 'How often a watch that asked for progress notifications gets one while there are no events.',
    sameAsEtcd: true,
    flagAliases: ['experimental-watch-progress-notify-interval'],
  }),
  ...TLS_OPTIONS,
  ...HTTP_OPTIONS,
  ...CLUSTER_OPTIONS,
  ...KAFKA_OPTIONS,
  ...AUTH_OPTIONS,
  logLevel: option({
    flag: 'log-level',
    section: 'Logging',
    kind: choiceKind(['debug', 'info', 'warn', 'error'], { dpanic: 'error', panic: 'error', fatal: 'error' }),
    default: 'info',
    help: 'The least severe messages that are logged.',
    sameAsEtcd: true,
  }),
  logFormat: option({
    flag: 'log-format',
    section: 'Logging',
    kind: choiceKind(['auto', 'json', 'pretty'], { console: 'pretty' }),
    default: 'auto',
    help: 'Form of the log on standard error. auto is pretty on a terminal and json elsewhere.',
    sameAsEtcd: true,
  }),
  shutdownGrace: option({
    flag: 'shutdown-grace',
    section: 'Shutdown',
    kind: durationKind('s', 0, 10 * MINUTE_MS),
    default: '5s',
    help: 'How long requests in progress may take to finish when the server is told to stop.',
    sameAsEtcd: false,
  }),
}

export type OptionKey = keyof typeof OPTIONS

/** The values of all options, each with the type of its kind. */
export type Config = {
  readonly [K in OptionKey]: (typeof OPTIONS)[K] extends Option<infer T> ? T : never
}

/** Every option with its key in `Config`, in the order of help and docs. */
export function allOptions(): readonly (readonly [OptionKey, Option<unknown>])[] {
  return Object.entries(OPTIONS) as [OptionKey, Option<unknown>][]
}

/** The names of its environment variables, the first that is set counts. */
export function environmentNames(option: Option<unknown>): readonly string[] {
  const name = environmentName(option.flag)
  return option.sameAsEtcd ? [`KETA_${name}`, `ETCD_${name}`] : [`KETA_${name}`]
}

/** "data-dir" → "DATA_DIR". */
export function environmentName(flag: string): string {
  return flag.toUpperCase().replaceAll('-', '_')
}

/** Command-line names of the configuration file: etcd's and a short one. KETA_CONFIG_FILE in the environment. */
export const CONFIG_FILE_FLAGS: readonly string[] = ['config-file', 'config']
