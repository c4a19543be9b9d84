/** The standard grpc.health.v1.Health service. As etcd, it knows one service: "", the whole server. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'

import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
  HealthListRequestSchema,
  HealthListResponseSchema,
} from '../proto/gen/health/health_pb.js'
import { type Method, RpcError, type ServerStream, STATUS, stream, type StreamHandler } from '../transport/transport.ts'
import { coldMethod } from './methods.ts'

/** Whether the server serves, and when that changes. */
export interface Readiness {
  readonly serving: boolean
  /** @returns the end of the subscription. */
  onChange(listener: () => void): () => void
}

const WHOLE_SERVER = ''

export function healthService(readiness: Readiness): ReadonlyMap<string, Method> {
  const check = coldMethod(HealthCheckRequestSchema, HealthCheckResponseSchema, ({ service }) => {
    if (service !== WHOLE_SERVER) throw new RpcError(STATUS.NOT_FOUND, 'unknown service')
    return { status: statusOf(readiness) }
  })
  const list = coldMethod(HealthListRequestSchema, HealthListResponseSchema, () => ({
    statuses: { [WHOLE_SERVER]: { status: statusOf(readiness) } },
  }))
  const watch = stream<string, ServingStatus>({
    decode: (bytes) => fromBinary(HealthCheckRequestSchema, bytes).service,
    encode: (status) => toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status })),
    open: (out) => new HealthWatch(readiness, out),
  })
  return new Map([
    ['Check', check],
    ['List', list],
    ['Watch', watch],
  ])
}

function statusOf(readiness: Readiness): ServingStatus {
  return readiness.serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING
}

/** Sends the status at once and whenever it changes, until the client goes. */
class HealthWatch implements StreamHandler<string> {
  readonly #readiness: Readiness
  readonly #out: ServerStream<ServingStatus>
  #sent: ServingStatus | undefined
  #unsubscribe: (() => void) | undefined

  constructor(readiness: Readiness, out: ServerStream<ServingStatus>) {
    this.#readiness = readiness
    this.#out = out
  }

  message(service: string): void {
    if (this.#sent !== undefined) return
    if (service === WHOLE_SERVER) {
      this.#unsubscribe = this.#readiness.onChange(() => this.#send(statusOf(this.#readiness)))
      this.#send(statusOf(this.#readiness))
    } else this.#send(ServingStatus.SERVICE_UNKNOWN)
  }

  halfClosed(): void {
    // The call has one request; its end says nothing about the wish for answers.
  }

  drained(): void {
    // Changes are too rare to hold any back.
  }

  closed(): void {
    this.#unsubscribe?.()
  }

  #send(status: ServingStatus): void {
    if (status === this.#sent) return
    this.#sent = status
    this.#out.send(status)
  }
}
