/** A connection to one of the compared servers that carries raw message bytes and keeps errors as data. */
import { type ClientDuplexStream, credentials, makeGenericClientConstructor, Metadata } from '@grpc/grpc-js'

/** What a server answers to a unary call. */
export type Answer =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly code: number; readonly text: string }

export interface RawStream {
  send(bytes: Uint8Array): void
  /** Sends no more. grpc-go waits for it where a method has one request. */
  halfClose(): void
  /** Closes both directions. */
  close(): void
}

export interface StreamHandlers {
  readonly onMessage: (bytes: Uint8Array) => void
  /** The server or the connection ended the stream; not called after `close`. */
  readonly onEnd: (reason: string) => void
}

export interface Connection {
  /** 'etcd' or 'keta', for messages. */
  readonly name: string
  /** @param path '/package.Service/Method' @param token of whoever asks */
  unary(path: string, bytes: Uint8Array, token?: string): Promise<Answer>
  stream(path: string, handlers: StreamHandlers, token?: string): RawStream
  close(): void
}

const DEADLINE_MS = 30_000
const GenericClient = makeGenericClientConstructor({}, 'raw')
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const asIs = (bytes: Buffer): Buffer => bytes

/** @param endpoint 'host:port' */
export function connectTo(name: string, endpoint: string): Connection {
  const client = new GenericClient(endpoint, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
  })
  return {
    name,
    unary: (path, bytes, token) =>
      new Promise((resolve) => {
        const deadline = Date.now() + DEADLINE_MS
        client.makeUnaryRequest(path, asBuffer, asIs, bytes, metadataWith(token), { deadline }, (error, response) => {
          if (error) resolve({ ok: false, code: error.code, text: error.details })
          else resolve({ ok: true, bytes: response ?? new Uint8Array() })
        })
      }),
    stream: (path, handlers, token) =>
      openStream(client.makeBidiStreamRequest(path, asBuffer, asIs, metadataWith(token)), handlers),
    close: () => client.close(),
  }
}

function metadataWith(token: string | undefined): Metadata {
  const metadata = new Metadata()
  if (token !== undefined) metadata.set('token', token)
  return metadata
}

function openStream(call: ClientDuplexStream<Uint8Array, Buffer>, handlers: StreamHandlers): RawStream {
  let closed = false
  const end = (reason: string): void => {
    if (closed) return
    closed = true
    handlers.onEnd(reason)
  }
  call.on('data', (bytes: Buffer) => {
    if (!closed) handlers.onMessage(bytes)
  })
  call.on('error', (error) => end(String(error)))
  call.on('end', () => end('end of stream'))
  return {
    send: (bytes) => call.write(bytes),
    halfClose: () => call.end(),
    close: () => {
      closed = true
      call.cancel()
    },
  }
}
