/**
 * etcd's Watch service: one stream of the hub for each stream of a client. A client's half-close does not end its
 * watches. What bounds a hostile client is the transport: it reads no request while the answers are not taken.
 */
import { EMPTY_KEY, FROM_KEY_END } from '../bytes/key.ts'
import { RequestFailure } from '../command/failure.ts'
import type { Access, Engine } from '../engine/api.ts'
import { type Method, RpcError, STATUS, stream, type StreamHandler } from '../transport/transport.ts'
import type { WatchRequest, WatchStream } from '../watch/watch.ts'
import type { Caller, Callers } from './callers.ts'
import { refusalText } from './errors.ts'
import type { Headers } from './header.ts'
import { endWithoutLeader } from './require-leader.ts'
import { WatchAnswers } from './watch-answers.ts'
import { decodeWatchRequest, type WatchMessage } from './watch-requests.ts'

/** @param fragmentBytes see WatchAnswers. */
export function watchService(
  engine: Engine,
  headers: Headers,
  callers: Callers,
  fragmentBytes: number,
): ReadonlyMap<string, Method> {
  const answers = new WatchAnswers(headers, fragmentBytes)
  const watch = stream<WatchMessage, Uint8Array>({
    decode: decodeWatchRequest,
    encode: (bytes) => bytes,
    open(out, call) {
      const released = endWithoutLeader(engine, call, out)
      const watchStream = engine.openWatchStream({
        send(answer) {
          try {
            let takesMore = true
            for (const response of answers.encode(answer)) takesMore = out.send(response)
            return takesMore
          } catch (cause) {
            // The commit stands and others must hear of it: only this stream ends, once the hub has finished its round.
            queueMicrotask(() => {
              out.fail(new RpcError(STATUS.INTERNAL, 'etcdserver: the watch answer cannot be encoded', { cause }))
            })
            return false
          }
        },
      })
      const permitted = (request: WatchRequest): boolean | Promise<boolean> =>
        callers.as(call, (caller) => {
          const reason = engine.access.enabled ? refusalOf(engine.access, request, caller) : undefined
          if (reason === undefined) return true
          out.send(answers.refusal(engine.revision, reason))
          return false
        })
      return handlerOf(watchStream, permitted, released)
    },
  })
  return new Map([['Watch', watch]])
}

/**
 * Why the caller may not watch this, as a cancel_reason says it; asked when the watch is created, and never again. A
 * start before the history is told first.
 */
function refusalOf(access: Access, request: WatchRequest, caller: Caller): string | undefined {
  if (request.startRevision < 0) return undefined
  try {
    const key = request.key === EMPTY_KEY ? FROM_KEY_END : request.key
    const refusal = access.mayRead(caller.author(), key, request.rangeEnd)
    return refusal && refusalText(refusal)
  } catch (error) {
    if (error instanceof RequestFailure) return refusalText(error.code)
    throw error
  }
}

function handlerOf(
  watchStream: WatchStream,
  permitted: (request: WatchRequest) => boolean | Promise<boolean>,
  released: () => void,
): StreamHandler<WatchMessage> {
  let isOver = false
  return {
    message(message): void | Promise<void> {
      switch (message.kind) {
        case 'create': {
          const { request } = message
          const answer = permitted(request)
          if (answer instanceof Promise) {
            return answer.then((isPermitted) => {
              if (isPermitted && !isOver) watchStream.create(request)
            })
          }
          if (answer) watchStream.create(request)
          break
        }
        case 'cancel':
          watchStream.cancel(message.watchId)
          break
        case 'progress':
          watchStream.requestProgress()
          break
        case 'unknown':
          break
      }
    },
    halfClosed: () => undefined,
    drained: () => watchStream.drained(),
    closed: () => {
      isOver = true
      released()
      watchStream.close()
    },
  }
}
