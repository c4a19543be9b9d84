/**
 * etcd's Watch service: one stream of the hub for each stream of a client. A client's half-close does not end its
 * watches. What bounds a hostile client is the transport: it reads no request while the answers are not taken.
 */
import type { Engine } from '../engine/api.ts'
import { type Method, RpcError, STATUS, stream, type StreamHandler } from '../transport/transport.ts'
import type { WatchStream } from '../watch/watch.ts'
import type { Headers } from './header.ts'
import { endWithoutLeader } from './require-leader.ts'
import { WatchAnswers } from './watch-answers.ts'
import { decodeWatchRequest, type WatchMessage } from './watch-requests.ts'

/** @param fragmentBytes see WatchAnswers. */
export function watchService(engine: Engine, headers: Headers, fragmentBytes: number): ReadonlyMap<string, Method> {
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
      return handlerOf(watchStream, released)
    },
  })
  return new Map([['Watch', watch]])
}

function handlerOf(watchStream: WatchStream, released: () => void): StreamHandler<WatchMessage> {
  return {
    message(message) {
      switch (message.kind) {
        case 'create':
          watchStream.create(message.request)
          break
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
      released()
      watchStream.close()
    },
  }
}
