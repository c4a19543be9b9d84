/** What a client's connection may do, as etcd reads the flags for it. */
import type { Config } from './config/options.ts'
import { CONNECTION_RULES, type ConnectionRules } from './transport/transport.ts'

type Flags = Pick<
  Config,
  'maxConcurrentStreams' | 'grpcKeepaliveMinTime' | 'grpcKeepaliveInterval' | 'grpcKeepaliveTimeout'
>

/** grpc-go's, which etcd leaves as it is if it is told 0. */
const PING_MIN_MS = 300_000
/** grpc-go asks no client more often. */
const KEEPALIVE_MIN_MS = 1_000

export function connectionRules(flags: Flags): ConnectionRules {
  const { grpcKeepaliveInterval: interval, grpcKeepaliveTimeout: timeout } = flags
  const { keepaliveMs, keepaliveTimeoutMs } = CONNECTION_RULES
  // etcd hands on both or none.
  const isSet = interval > 0 && timeout > 0
  return {
    streams: flags.maxConcurrentStreams === 0 ? 2 ** 32 - 1 : flags.maxConcurrentStreams,
    pingMinMs: flags.grpcKeepaliveMinTime === 0 ? PING_MIN_MS : flags.grpcKeepaliveMinTime,
    keepaliveMs: isSet ? Math.max(interval, KEEPALIVE_MIN_MS) : keepaliveMs,
    keepaliveTimeoutMs: isSet ? timeout : keepaliveTimeoutMs,
  }
}
