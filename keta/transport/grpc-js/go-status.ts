/**
 * Statuses that grpc-js gives by itself, put into the words of grpc-go: clients of etcd know those, and some match
 * them.
 */
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js'

import { parseTimeout } from '../grpc-timeout.ts'
import { STATUS } from '../transport.ts'

/** A status as grpc-js sends it. */
export type WireStatus = Omit<Parameters<ServerInterceptingCallInterface['sendStatus']>[0], 'code'> & { code: number }

const TOO_LARGE = /^Received message larger than max \((\d+) vs (\d+)\)$/
const TOO_LARGE_UNPACKED = /^Received message that decompresses to a size larger than (\d+)$/
const UNKNOWN_ENCODING = /^Received message compressed with unsupported encoding (".*")$/

const MALFORMED_TIMEOUT = /^Invalid grpc-timeout value "(.*)"$/

export function goStatus(status: WireStatus): WireStatus {
  const details = goDetails(status)
  return details === undefined ? status : { ...status, details }
}

function goDetails(status: WireStatus): string | undefined {
  const { details } = status
  if (status.code === STATUS.DEADLINE_EXCEEDED) return 'context deadline exceeded'
  if (status.code === STATUS.UNIMPLEMENTED) {
    const encoding = UNKNOWN_ENCODING.exec(details)?.[1]
    return encoding && `grpc: Decompressor is not installed for grpc-encoding ${encoding}`
  }
  if (status.code === STATUS.INTERNAL) {
    const timeout = MALFORMED_TIMEOUT.exec(details)?.[1]
    return timeout === undefined ? undefined : `malformed grpc-timeout: ${parseTimeout(timeout)}`
  }
  if (status.code !== STATUS.RESOURCE_EXHAUSTED) return undefined
  const [, size, max] = TOO_LARGE.exec(details) ?? []
  if (size !== undefined && max !== undefined) return `grpc: received message larger than max (${size} vs. ${max})`
  const unpackedMax = TOO_LARGE_UNPACKED.exec(details)?.[1]
  return unpackedMax && `grpc: received message after decompression larger than max ${unpackedMax}`
}
