/** The one error type of the broker, and what its codes mean to a client. */

/**
 * | code | meaning | try again |
 * |---|---|---|
 * | `NOT_LEADER` | this broker does not, or no longer, lead the partition | after new metadata |
 * | `FENCED_LEADER_EPOCH`, `UNKNOWN_LEADER_EPOCH` | asker and leader are not of one leader epoch | soon |
 * | `NOT_ENOUGH_REPLICAS` | fewer in sync than `min.insync.replicas` | soon |
 * | `OFFSET_NOT_AVAILABLE` | the leader is new, and does not know yet how far records are safe | soon |
 * | `REQUEST_TIMED_OUT` | it may have been done, or may yet be | if doing it twice is all right |
 * | `STARTING`, `COORDINATION` | the broker cannot do it now; the store cannot be reached | soon |
 * | `UNKNOWN_TOPIC` | there is no such topic or partition, or this broker has not heard of it yet | after new metadata |
 * | `TOPIC_EXISTS`, `INVALID_REQUEST`, `OFFSET_OUT_OF_RANGE`, `TOO_LARGE` | the request cannot succeed | no |
 * | `INVALID_METADATA` | the store holds something that is not Kafka's metadata | no |
 * | `CORRUPT_LOG`, `LOG_DIR` | the log on disk is damaged, not ours, or in use | no |
 * | `DISCONNECTED` | the connection ended before the answer came | if doing it twice is all right |
 * | `INTERNAL` | a fault of the broker | no |
 */
export const BROKER_ERRORS = [
  'NOT_LEADER',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'NOT_ENOUGH_REPLICAS',
  'OFFSET_NOT_AVAILABLE',
  'REQUEST_TIMED_OUT',
  'STARTING',
  'COORDINATION',
  'UNKNOWN_TOPIC',
  'TOPIC_EXISTS',
  'INVALID_REQUEST',
  'OFFSET_OUT_OF_RANGE',
  'TOO_LARGE',
  'INVALID_METADATA',
  'CORRUPT_LOG',
  'LOG_DIR',
  'DISCONNECTED',
  'INTERNAL',
] as const

export type BrokerErrorCode = (typeof BROKER_ERRORS)[number]

export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: BrokerErrorCode

  constructor(code: BrokerErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

export function isBrokerError(error: unknown, ...codes: readonly BrokerErrorCode[]): error is BrokerError {
  return error instanceof BrokerError && (codes.length === 0 || codes.includes(error.code))
}

/** Whether the same request may succeed a little later, perhaps elsewhere. */
export function isRetriable({ code }: BrokerError): boolean {
  switch (code) {
    case 'NOT_LEADER':
    case 'FENCED_LEADER_EPOCH':
    case 'UNKNOWN_LEADER_EPOCH':
    case 'NOT_ENOUGH_REPLICAS':
    case 'OFFSET_NOT_AVAILABLE':
    case 'REQUEST_TIMED_OUT':
    case 'STARTING':
    case 'COORDINATION':
    case 'UNKNOWN_TOPIC':
    case 'DISCONNECTED':
      return true
    case 'TOPIC_EXISTS':
    case 'INVALID_REQUEST':
    case 'OFFSET_OUT_OF_RANGE':
    case 'TOO_LARGE':
    case 'INVALID_METADATA':
    case 'CORRUPT_LOG':
    case 'LOG_DIR':
    case 'INTERNAL':
      return false
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
