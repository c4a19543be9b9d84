/**
 * Clients that say `hasleader` in their metadata want a stream to end when the member loses touch with the cluster, so
 * that they can go on at another one (etcd: api/v3rpc/interceptor.go). kube-apiserver watches so.
 */
import { RequestFailure } from '../command/failure.ts'
import type { Engine } from '../engine/api.ts'
import { type Call, RpcError, type ServerStream } from '../transport/transport.ts'
import { toRpcError } from './errors.ts'

/** @returns to be called when the stream is over. */
export function endWithoutLeader(engine: Engine, call: Call, out: ServerStream<never>): () => void {
  if (call.metadata('hasleader') !== 'true') return () => undefined
  const check = (): void => {
    if (engine.leaderId !== 0n) return
    const failure = toRpcError(new RequestFailure('NO_LEADER'))
    if (failure instanceof RpcError) out.fail(failure)
  }
  check()
  return engine.onLeaderChange(check)
}
