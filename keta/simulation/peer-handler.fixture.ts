/** The answering side of a node: what other nodes may ask of it. */
import { RequestFailure } from '../command/failure.ts'
import type { PeerHandler, PeerRequest, PeerResponse } from '../cluster/peers.ts'
import type { Engine } from '../engine/api.ts'
import { STATUS } from '../transport/transport.ts'
import { serve } from './requests.fixture.ts'

export function peerHandler(engine: Engine): PeerHandler {
  return {
    async handle(request) {
      try {
        return await answer(engine, request)
      } catch (error) {
        if (!(error instanceof RequestFailure)) throw error
        if (error.code === 'NOT_LEADER') return { kind: 'notLeader' }
        const { appliedOffset } = engine
        return { kind: 'refusal', status: STATUS.UNAVAILABLE, message: error.code, appliedOffset }
      }
    },
  }
}

async function answer(engine: Engine, request: PeerRequest): Promise<PeerResponse> {
  switch (request.kind) {
    case 'forward': {
      const body = await serve(engine, request)
      return { kind: 'answer', body, appliedOffset: engine.appliedOffset }
    }
    case 'readIndex':
      return { kind: 'readIndex', offset: await engine.readIndex() }
    case 'takeOver':
      return { kind: engine.takeOver(request.epoch) ? 'done' : 'notLeader' }
    case 'ping':
      return { kind: 'done' }
  }
}
