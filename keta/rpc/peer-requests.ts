/** What this node answers to the other nodes of its cluster. */
import { RequestFailure } from '../command/failure.ts'
import type { PeerHandler, PeerRequest, PeerResponse } from '../cluster/peers.ts'
import type { Engine } from '../engine/api.ts'
import { RpcError } from '../transport/transport.ts'
import { forwardedCaller } from './callers.ts'
import type { Routes } from './routes.ts'

export function peerRequests(engine: Engine, routes: Routes): PeerHandler {
  return {
    async handle(request) {
      try {
        return await answer(engine, routes, request)
      } catch (error) {
        if (error instanceof RequestFailure && error.code === 'NOT_LEADER') return { kind: 'notLeader' }
        if (!(error instanceof RpcError)) throw error
        const { status, message } = error
        return { kind: 'refusal', status, message, appliedOffset: engine.appliedOffset }
      }
    },
  }
}

async function answer(engine: Engine, routes: Routes, request: PeerRequest): Promise<PeerResponse> {
  switch (request.kind) {
    case 'forward': {
      if (!engine.leading) return { kind: 'notLeader' }
      const body = await routes.execute(request.method, request.body, forwardedCaller(request.metadata))
      return { kind: 'answer', body, appliedOffset: engine.appliedOffset }
    }
    case 'readIndex':
      return { kind: 'readIndex', offset: await engine.readIndex() }
    case 'takeOver':
      return engine.takeOver(request.epoch) ? { kind: 'done' } : { kind: 'notLeader' }
    case 'ping':
      return { kind: 'done' }
  }
}
