/** Two nodes in one process for the tests of the link: one that answers behind a real server, one that asks. */
import type { PeerHandler, PeerRequest, PeerResponse } from '../cluster/peers.ts'
import type { ServerTls } from '../transport/front/server-tls.ts'
import { createGrpcJsTransport } from '../transport/grpc-js/grpc-js-transport.ts'
import type { Method, Transport } from '../transport/transport.ts'
import { PEER_SERVICE } from './protocol.ts'
import { peerService } from './service.ts'

export interface Answering {
  readonly url: string
  readonly port: number
  /** Messages that the asker has sent. */
  readonly messages: () => number
  readonly defects: unknown[]
  close(graceMs?: number): Promise<void>
}

export const SECRET = 'of the nodes'

export type Handle = (request: PeerRequest) => PeerResponse | Promise<PeerResponse>

/** What clients may send on the port that the nodes share; a message of the link must not be larger. */
const MAX_REQUEST_BYTES = 512 * 1024
export const MAX_FORWARDED_BYTES = 4 * 1024 * 1024

/** TLS of the answering side, and whether it answers nodes only. */
export interface Secured {
  readonly tls: ServerTls
  readonly onlyNodes: boolean
}

export async function answering(handle: Handle, port = 0, host = '127.0.0.1', secured?: Secured): Promise<Answering> {
  const defects: unknown[] = []
  let messages = 0
  const handler: PeerHandler = { handle: async (request) => handle(request) }
  const methods = peerService(handler, {
    secret: SECRET,
    onDefect: (error) => defects.push(error),
    maxRequestBytes: MAX_FORWARDED_BYTES,
    ...(secured === undefined ? {} : { onlyNodes: secured.onlyNodes }),
  })
  const transport: Transport = createGrpcJsTransport({
    services: new Map([[PEER_SERVICE, counted(methods, () => messages++)]]),
    maxRequestBytes: MAX_REQUEST_BYTES,
    onDefect: (error) => defects.push(error),
    ...(secured === undefined ? {} : { tls: secured.tls }),
  })
  const [bound] = await transport.listen([{ host, port, secure: secured !== undefined }])
  if (bound === undefined) throw new Error('nothing was bound')
  return {
    url: `${secured === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${bound.port}`,
    port: bound.port,
    messages: () => messages,
    defects,
    close: (graceMs = 0) => transport.close(graceMs),
  }
}

function counted(methods: ReadonlyMap<string, Method>, count: () => void): ReadonlyMap<string, Method> {
  return new Map(
    [...methods].map(([name, method]) => [
      name,
      {
        ...method,
        decode: (bytes: Uint8Array) => {
          count()
          return method.decode(bytes)
        },
      },
    ]),
  )
}

/** What a handler gives that has no answer. */
export const never = new Promise<never>(() => {
  // nothing settles it
})

/** A promise that the test settles, or waits for. */
export function signal<T = void>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
