/** The answers of a streaming method with one request, as a client of another server gets them. */
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'

import { RpcError, STATUS } from '../transport.ts'

export interface RemoteServer {
  /** 'host:port' */
  readonly address: string
  /** For TLS: the certificate authority in PEM, or true for those of the system. */
  readonly tls: Buffer | boolean
}

const asIs = (bytes: Buffer): Buffer => bytes

/**
 * Answers are asked for as they are taken.
 * @param path '/package.Service/Method'
 * @throws RpcError as the server gave it, or UNAVAILABLE if there is none.
 */
export async function* receive(server: RemoteServer, path: string, request: Uint8Array): AsyncGenerator<Uint8Array> {
  const { address, tls } = server
  const channel = tls === false ? credentials.createInsecure() : credentials.createSsl(tls === true ? undefined : tls)
  const client = new Client(address, channel, { 'grpc.max_receive_message_length': -1 })
  try {
    const call = client.makeServerStreamRequest(path, asIs, asIs, Buffer.from(request))
    try {
      yield* call as AsyncIterable<Buffer>
    } finally {
      call.cancel()
    }
  } catch (error) {
    const { code, details } = error as Partial<ServiceError>
    const status = Object.values(STATUS).find((known) => known === Number(code))
    if (status === undefined || details === undefined) throw error
    throw new RpcError(status, details, { cause: error })
  } finally {
    client.close()
  }
}
