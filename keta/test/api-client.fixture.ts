/** A client of etcd's API on a connection of its own. It shares no code with the server but the message definitions. */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { credentials, makeGenericClientConstructor, Metadata, type ServiceError } from '@grpc/grpc-js'

const DEADLINE_MS = 30_000
const GenericClient = makeGenericClientConstructor({}, 'api')
const asIs = (bytes: Buffer): Buffer => bytes

/** A stream of messages in both directions. */
export interface MessageStream {
  send(bytes: Buffer): void
  /** Begins to read. */
  onMessage(listener: (bytes: Buffer) => void): void
  /** @param listener is given the gRPC error too, if there is one. */
  onEnd(listener: (reason: string, error?: ServiceError) => void): void
  close(): void
}

export interface ApiClientOptions {
  /** Of one call. Default 30 s. */
  readonly deadlineMs?: number
  /** The longest pause before a server that was not there is tried again. Default: up to two minutes. */
  readonly reconnectMs?: number
}

export class ApiClient {
  /** Sent with every call, if there is one. */
  token: string | undefined
  readonly #client: InstanceType<typeof GenericClient>
  readonly #deadlineMs: number

  /** @param endpoint 'host:port' */
  constructor(endpoint: string, { deadlineMs = DEADLINE_MS, reconnectMs }: ApiClientOptions = {}) {
    this.#deadlineMs = deadlineMs
    this.#client = new GenericClient(endpoint, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // Connections are otherwise shared by the whole process, with their pauses between attempts to connect.
      'grpc.use_local_subchannel_pool': 1,
      ...(reconnectMs === undefined
        ? {}
        : { 'grpc.initial_reconnect_backoff_ms': reconnectMs, 'grpc.max_reconnect_backoff_ms': reconnectMs }),
    })
  }

  /** @throws ServiceError */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const bytes = toBinary(method.input, create(method.input, request))
    return fromBinary(method.output, await this.raw(pathOf(method), Buffer.from(bytes)))
  }

  /** @throws ServiceError */
  raw(path: string, bytes: Buffer, deadlineMs = this.#deadlineMs): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + deadlineMs
      this.#client.makeUnaryRequest(path, asIs, asIs, bytes, this.#metadata(), { deadline }, (error, answer) => {
        if (error !== null) reject(error)
        else resolve(answer ?? Buffer.alloc(0))
      })
    })
  }

  /** It reads as fast as the server sends, whether there is a listener yet or not. */
  stream(method: DescMethod): MessageStream {
    const call = this.#client.makeBidiStreamRequest(pathOf(method), asIs, asIs, this.#metadata())
    return {
      send: (bytes) => call.write(bytes),
      onMessage: (listener) => call.on('data', listener),
      onEnd(listener) {
        call.on('error', (error) => listener(String(error), error as ServiceError))
        call.on('end', () => listener('end of stream'))
      },
      close: () => call.cancel(),
    }
  }

  close(): void {
    this.#client.close()
  }

  #metadata(): Metadata {
    const metadata = new Metadata()
    if (this.token !== undefined) metadata.set('token', this.token)
    return metadata
  }
}

export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`
}

/** The error that a call ends with. @throws if it succeeds */
export async function failureOf(call: Promise<unknown>): Promise<ServiceError> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error as ServiceError,
  )
  if (outcome === undefined) throw new Error('the call succeeded')
  return outcome
}
