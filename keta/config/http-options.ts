/** Options of what is served over HTTP beside gRPC. */
import { option } from './option.ts'
import { booleanKind, choiceKind, optionalUrlsKind, type ValueKind } from './values.ts'

const namesKind: ValueKind<readonly string[]> = {
  name: 'names',
  expected: 'a comma-separated list of names, or *',
  parse: (text) =>
    text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  format: (names) => names.join(','),
}

export const HTTP_OPTIONS = {
  enableGrpcGateway: option({
    flag: 'enable-grpc-gateway',
    section: 'HTTP',
    kind: booleanKind,
    default: 'true',
    help: 'Whether the API is also served as JSON over HTTP, under /v3/.',
    sameAsEtcd: true,
  }),
  cors: option({
    flag: 'cors',
    section: 'HTTP',
    kind: namesKind,
    default: '*',
    help: 'Origins from which browsers may call, separated by commas. * means any.',
    sameAsEtcd: true,
  }),
  hostWhitelist: option({
    flag: 'host-whitelist',
    section: 'HTTP',
    kind: namesKind,
    default: '*',
    help: 'Host names that HTTP requests without TLS may be sent to, separated by commas. * means any.',
    sameAsEtcd: true,
  }),
  metrics: option({
    flag: 'metrics',
    section: 'HTTP',
    kind: choiceKind(['basic', 'extensive']),
    default: 'basic',
    help: 'How much /metrics shows. extensive also measures how long calls take.',
    sameAsEtcd: true,
  }),
  listenMetricsUrls: option({
    flag: 'listen-metrics-urls',
    section: 'HTTP',
    kind: optionalUrlsKind,
    default: '',
    help: 'URLs to serve only metrics and health on, besides those for clients; https:// as for clients.',
    sameAsEtcd: true,
  }),
}
