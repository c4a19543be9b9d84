/** A client that does one thing after another at one node, each in the history with what came of it. */
import type { ServiceError } from '@grpc/grpc-js'
import { ApiClient } from '../api-client.fixture.ts'
import type { Call, KvAnswer, Outcome, Request } from '../checkers/history.ts'
import { send } from './kv-wire.ts'
import { outcomeOf } from './outcome.ts'
import type { Recorder } from './recorder.ts'

const DEADLINE_MS = 4_000
const RECONNECT_MS = 200

export class RecordedClient {
  readonly endpoint: string
  readonly recorder: Recorder
  readonly api: ApiClient
  #process: number

  /** @param endpoint 'host:port' */
  constructor(recorder: Recorder, endpoint: string) {
    this.recorder = recorder
    this.endpoint = endpoint
    this.api = new ApiClient(endpoint, { deadlineMs: DEADLINE_MS, reconnectMs: RECONNECT_MS })
    this.#process = recorder.newProcess()
  }

  async kv(request: Request): Promise<Call & Outcome<KvAnswer>> {
    const call = await this.perform(() => send(this.api, request))
    this.recorder.add({ kind: 'kv', request, ...call })
    return call
  }

  /** Does something, of several requests perhaps, as one call; it is not written down here. */
  async perform<Answer>(action: () => Promise<Answer>): Promise<Call & Outcome<Answer>> {
    const [process, invoke] = [this.#process, this.recorder.now()]
    const outcome = await action().then(
      (answer): Outcome<Answer> => ({ outcome: 'ok', answer }),
      (error: unknown): Outcome<Answer> => {
        if (error instanceof Error && 'details' in error) return outcomeOf(error as ServiceError)
        throw error
      },
    )
    if (outcome.outcome === 'info') this.#process = this.recorder.newProcess()
    return { process, endpoint: this.endpoint, invoke, return: this.recorder.now(), ...outcome }
  }

  close(): void {
    this.api.close()
  }
}
