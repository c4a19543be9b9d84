/** Options of what carries gRPC, and of what one connection may ask of it. */
import { option } from './option.ts'
import { choiceKind, durationKind, integerKind } from './values.ts'

/** The longest that a timer of Node's can wait is a little more. */
const LONGEST_MS = 24 * 24 * 3_600_000

export const GRPC_OPTIONS = {
  transport: option({
    flag: 'transport',
    section: 'Member',
    kind: choiceKind(['http2', 'grpc-js']),
    default: 'http2',
    help:
      'What carries gRPC: the HTTP/2 of this server itself, or the library grpc-js, which takes more of the ' +
      'processor. Clients see no difference but in what is refused.',
    sameAsEtcd: false,
  }),
  maxConcurrentStreams: option({
    flag: 'max-concurrent-streams',
    section: 'Limits',
    kind: integerKind(0, 2 ** 32 - 1),
    default: '10000',
    help:
      'Most calls that are open at once on one connection. A client waits with further ones. 0 means no limit, which ' +
      'is the default of etcd.',
    sameAsEtcd: true,
  }),
  grpcKeepaliveMinTime: option({
    flag: 'grpc-keepalive-min-time',
    section: 'Limits',
    kind: durationKind('s', 0, LONGEST_MS),
    default: '5s',
    help:
      'Shortest time between two pings of a client; one that pings more often is cut off (too_many_pings). 0 means ' +
      '5m, as with etcd. grpc-js does not look at it.',
    sameAsEtcd: true,
  }),
  grpcKeepaliveInterval: option({
    flag: 'grpc-keepalive-interval',
    section: 'Limits',
    kind: durationKind('s', 0, LONGEST_MS),
    default: '2h',
    help: 'After how much silence of a client it is asked whether it lives. 0 means 2h, as with etcd.',
    sameAsEtcd: true,
  }),
  grpcKeepaliveTimeout: option({
    flag: 'grpc-keepalive-timeout',
    section: 'Limits',
    kind: durationKind('s', 0, LONGEST_MS),
    default: '20s',
    help:
      'How long a client may take to say that it lives, before its connection is closed. 0 means 20s, and an ' +
      'interval of 2h, as with etcd.',
    sameAsEtcd: true,
  }),
}
