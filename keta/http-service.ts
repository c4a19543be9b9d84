/** Puts together what is served over HTTP: gateway, health, version and metrics, and the listeners of metrics alone. */
import { performance } from 'node:perf_hooks'

import type { Config } from './config/options.ts'
import type { Engine } from './engine/api.ts'
import { isKnownHost } from './http/access.ts'
import { Gateway, JSON_PER_MESSAGE } from './http/gateway/gateway.ts'
import { httpHandler } from './http/handler.ts'
import { Health } from './http/health.ts'
import { WebSockets } from './http/web-sockets.ts'
import type { EngineCounts } from './metrics/engine-counts.ts'
import { exposition } from './metrics/exposition.ts'
import { healthMetrics } from './metrics/health-metrics.ts'
import { nodeMetrics } from './metrics/node-metrics.ts'
import type { PeerCounts } from './metrics/peer-metrics.ts'
import { processMetrics } from './metrics/process-metrics.ts'
import { rpcMetrics } from './metrics/rpc-metrics.ts'
import { Front } from './transport/front/front.ts'
import type { ServerTls } from './transport/front/server-tls.ts'
import type { HttpHandler, ServiceTable, UpgradeHandler } from './transport/transport.ts'

export interface HttpParts {
  readonly config: Pick<Config, 'cors' | 'hostWhitelist' | 'enableGrpcGateway' | 'metrics' | 'listenMetricsUrls'>
  readonly engine: Engine
  readonly counts: EngineCounts
  readonly peerCounts: PeerCounts
  readonly table: ServiceTable
  readonly maxMessageBytes: number
  readonly onDefect: (error: unknown, method: string) => void
  /** etcd's version whose behaviour this is. */
  readonly version: string
  /** Needed for listeners of metrics at https://. */
  readonly tls: ServerTls | undefined
}

export interface HttpService {
  /** The table whose calls are counted: for every transport. */
  readonly services: ServiceTable
  readonly handler: HttpHandler
  /** For WebSockets of the gateway. */
  readonly upgrade: UpgradeHandler
  /** Ends streams of the gateway, which have no end of their own. */
  endStreams(): void
  stop(): void
}

/** Resolves when the listeners of metrics are open. @throws the operating system's error if one cannot be. */
export async function createHttp(parts: HttpParts): Promise<HttpService> {
  const { config, engine, counts, peerCounts, table, maxMessageBytes, onDefect, version } = parts
  const isExtensive = config.metrics === 'extensive'
  const rpc = rpcMetrics(table, isExtensive ? () => performance.now() / 1000 : undefined)
  const node = nodeMetrics({ engine, counts, version })
  const process = processMetrics()
  const health = new Health(engine, (error) => onDefect(error, 'health'))
  const families = [
    ...[rpc.families, node.families, process.families, healthMetrics(health.counts)].flat(),
    ...peerCounts.families(engine.identity.memberId),
  ]
  const gateway = new Gateway({ services: rpc.services, maxRequestBytes: maxMessageBytes, onDefect })
  const shared = { access: config, health, version, metrics: () => exposition(families) }
  const metricsFront = await serveMetrics(parts, httpHandler({ ...shared, serves: 'metrics' }))
  const handler = httpHandler({ ...shared, serves: 'all', ...(config.enableGrpcGateway && { gateway }) })
  const webSockets = new WebSockets({
    handler,
    isAdmitted: (request) => config.enableGrpcGateway && isKnownHost(request, config),
    maxMessageBytes: maxMessageBytes * JSON_PER_MESSAGE,
  })
  return {
    services: rpc.services,
    handler,
    upgrade: (request, connection, head) => webSockets.take(request, connection, head),
    endStreams: () => gateway.close(),
    stop() {
      node.stop()
      process.stop()
      metricsFront.destroy()
    },
  }
}

async function serveMetrics({ config, tls, onDefect }: HttpParts, http: HttpHandler): Promise<Front> {
  const front = new Front({ http, tls, onDefect, onHttp2: (socket) => socket.destroy() })
  const addresses = config.listenMetricsUrls.map(({ scheme, host, port }) => ({
    ...{ host, port, secure: scheme === 'https' },
    traffic: 'http' as const,
  }))
  await front.listen(addresses)
  return front
}
