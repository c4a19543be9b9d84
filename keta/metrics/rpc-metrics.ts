/**
 * Counts the calls of a service table, whatever carries them: each method is wrapped once, and a call costs a few
 * additions. The names are those of go-grpc-prometheus, which etcd uses.
 */
import {
  type Method,
  RpcError,
  type ServerStream,
  type ServiceTable,
  STATUS,
  type StreamMethod,
  type UnaryMethod,
} from '../transport/transport.ts'
import { counter, type Family, histogram, type Labels, type Sample } from './exposition.ts'
import { Histogram } from './histogram.ts'

/** Streams on which the client sends one message: the table does not tell. */
const SERVER_STREAMS: ReadonlySet<string> = new Set(['Snapshot', 'Observe'])
const HEALTH_SERVICE = 'grpc.health.v1.Health'

/** Seconds; go-grpc-prometheus' buckets. */
const HANDLING_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** As Go's codes.Code prints them. */
const CODE_NAMES: readonly string[] = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
]

class MethodCounts {
  readonly labels: Labels
  started = 0
  received = 0
  sent = 0
  receivedBytes = 0
  sentBytes = 0
  readonly handled = CODE_NAMES.map(() => 0)
  readonly seconds = new Histogram(HANDLING_BOUNDS)

  constructor(service: string, name: string, kind: Method['kind']) {
    const isServerStream = SERVER_STREAMS.has(name) || service === HEALTH_SERVICE
    const stream = isServerStream ? 'server_stream' : 'bidi_stream'
    this.labels = { grpc_method: name, grpc_service: service, grpc_type: kind === 'unary' ? 'unary' : stream }
  }

  ended(code: number): void {
    this.handled[code] = (this.handled[code] ?? 0) + 1
  }
}

export interface RpcMetrics {
  /** The table, with every call counted. */
  readonly services: ServiceTable
  readonly families: readonly Family[]
}

/** @param now seconds, monotonic; without it no durations are measured */
export function rpcMetrics(services: ServiceTable, now?: () => number): RpcMetrics {
  const all: MethodCounts[] = []
  const counted = new Map(
    [...services].map(([service, methods]) => {
      const wrapped = [...methods].map(([name, method]) => {
        const counts = new MethodCounts(service, name, method.kind)
        all.push(counts)
        return [
          name,
          method.kind === 'unary' ? countedUnary(method, counts, now) : countedStream(method, counts),
        ] as const
      })
      return [service, new Map<string, Method>(wrapped)] as const
    }),
  )
  return { services: counted, families: familiesOf(all, now !== undefined) }
}

type AnyUnary = UnaryMethod<never, unknown>

function countedUnary(method: AnyUnary, counts: MethodCounts, now: (() => number) | undefined): Method {
  const failed = (error: unknown): void => counts.ended(error instanceof RpcError ? error.status : STATUS.INTERNAL)
  const handle: AnyUnary['handle'] = (request, call) => {
    counts.started++
    try {
      const answer = method.handle(request, call)
      // Beside the transport, which deals with the failure.
      if (answer instanceof Promise) answer.then(undefined, failed)
      return answer
    } catch (error) {
      failed(error)
      throw error
    }
  }
  return {
    kind: 'unary',
    decode: countedDecode(method, counts),
    handle: now === undefined ? handle : timed(handle, counts, now),
    encode(response) {
      const bytes = method.encode(response)
      counts.sent++
      counts.sentBytes += bytes.length
      counts.ended(STATUS.OK)
      return bytes
    },
  }
}

function timed(handle: AnyUnary['handle'], counts: MethodCounts, now: () => number): AnyUnary['handle'] {
  return (request, call) => {
    const start = now()
    const over = (): void => counts.seconds.observe(now() - start)
    let answer: unknown
    try {
      answer = handle(request, call)
      return answer
    } finally {
      if (answer instanceof Promise) answer.then(over, over)
      else over()
    }
  }
}

function countedStream(method: StreamMethod<never, unknown>, counts: MethodCounts): Method {
  return {
    kind: 'stream',
    decode: countedDecode(method, counts),
    open(stream, call) {
      counts.started++
      let isOver = false
      const ended = (code: number): void => {
        if (!isOver) counts.ended(code)
        isOver = true
      }
      const handler = method.open(countedOut(stream, ended), call)
      return {
        message: (request) => handler.message(request),
        halfClosed: () => handler.halfClosed(),
        drained: () => handler.drained(),
        closed() {
          // Nobody here ended it: the client is gone.
          ended(STATUS.CANCELLED)
          handler.closed()
        },
      }
    },
    encode(response) {
      const bytes = method.encode(response)
      counts.sent++
      counts.sentBytes += bytes.length
      return bytes
    },
  }
}

function countedOut(stream: ServerStream<unknown>, ended: (code: number) => void): ServerStream<unknown> {
  return {
    send: (response) => stream.send(response),
    end() {
      ended(STATUS.OK)
      stream.end()
    },
    fail(error) {
      ended(error instanceof RpcError ? error.status : STATUS.INTERNAL)
      stream.fail(error)
    },
  }
}

function countedDecode(method: Method, counts: MethodCounts): (bytes: Uint8Array) => never {
  return (bytes) => {
    counts.received++
    counts.receivedBytes += bytes.length
    return method.decode(bytes)
  }
}

function familiesOf(all: readonly MethodCounts[], timed: boolean): readonly Family[] {
  const each = (value: (counts: MethodCounts) => number | Histogram) => (): Iterable<Sample> =>
    all.map((counts) => ({ labels: counts.labels, value: value(counts) }))
  const total = (value: (counts: MethodCounts) => number) => (): number =>
    all.reduce((sum, counts) => sum + value(counts), 0)
  return [
    counter(
      'grpc_server_started_total',
      'Calls begun.',
      each(({ started }) => started),
    ),
    counter('grpc_server_handled_total', 'Calls ended, by their status.', () => all.flatMap(handledSamples)),
    counter(
      'grpc_server_msg_received_total',
      'Messages received.',
      each(({ received }) => received),
    ),
    counter(
      'grpc_server_msg_sent_total',
      'Messages sent.',
      each(({ sent }) => sent),
    ),
    counter(
      'etcd_network_client_grpc_received_bytes_total',
      'Bytes of messages received from clients.',
      total(({ receivedBytes }) => receivedBytes),
    ),
    counter(
      'etcd_network_client_grpc_sent_bytes_total',
      'Bytes of messages sent to clients.',
      total(({ sentBytes }) => sentBytes),
    ),
    ...(timed
      ? [
          histogram(
            'grpc_server_handling_seconds',
            'Duration of unary calls until their answer (--metrics=extensive).',
            () =>
              all
                .filter(({ labels }) => labels['grpc_type'] === 'unary')
                .map(({ labels, seconds }) => ({ labels, value: seconds })),
          ),
        ]
      : []),
  ]
}

/** Every code from the start, so that a rate over the first failure is not lost: etcd does so too. */
function handledSamples({ labels, handled }: MethodCounts): readonly Sample[] {
  return handled.map((value, code) => ({ labels: { grpc_code: CODE_NAMES[code] ?? '', ...labels }, value }))
}
