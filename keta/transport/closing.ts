/** How every transport ends: calls get their grace, then a status, then what is left is cut off. */
import { RpcError, STATUS } from './transport.ts'

/** What the last statuses get to reach their clients, once the grace is over. */
const LAST_WORDS_MS = 100

/** What calls are told that come, or are still open, when the server ends. */
export const STOPPING = new RpcError(STATUS.UNAVAILABLE, 'server is stopping')

/** A call as the end of its transport sees it. */
export interface OpenCall {
  /** Of a streaming method: ends it as soon as its handler is done with the message in hand. */
  retire?(error: RpcError): void
  /** Of a unary method: it waits for something that may never come, and gets no grace. */
  readonly waits: boolean
  fail(error: RpcError): void
}

/** What is to be ended. */
export interface Closing {
  readonly graceMs: number
  /** Those that are open at the moment. */
  calls(): Iterable<OpenCall>
  /** No call and no HTTP request is open any more. */
  readonly drained: Promise<unknown>
  /** Cuts off what is left. */
  cut(): void
}

/**
 * Streams are ended at once, with UNAVAILABLE: they have no end of their own, and their clients go on elsewhere. The
 * grace is for the calls that are being answered.
 */
export async function closeCalls(closing: Closing): Promise<void> {
  const { graceMs, drained } = closing
  for (const call of closing.calls()) {
    if (call.retire !== undefined) call.retire(STOPPING)
    else if (call.waits) call.fail(STOPPING)
  }
  await atMost(graceMs, drained)
  for (const call of closing.calls()) call.fail(STOPPING)
  await atMost(LAST_WORDS_MS, drained)
  closing.cut()
}

async function atMost(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([promise, timeout])
  clearTimeout(timer)
}
