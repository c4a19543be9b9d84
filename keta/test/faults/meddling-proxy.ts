/** A gRPC proxy before a good server that makes a bad one of it: what the checkers must find. */
import type { DescMethod, DescService } from '@bufbuild/protobuf'
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { KV, Lease, Maintenance, Watch } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient, pathOf } from '../api-client.fixture.ts'

export interface Meddling {
  /** Instead of passing the request on and the answer back. */
  unary?(method: DescMethod, request: Buffer, forward: (request: Buffer) => Promise<Buffer>): Promise<Buffer>
  /** Of a stream, to the server. @returns what the client is answered at once; undefined: it is passed on */
  answer?(method: DescMethod, message: Buffer): Buffer | undefined
  /** Of a stream, from the server. @returns what the client gets instead; undefined: nothing */
  message?(method: DescMethod, message: Buffer): Buffer | undefined
}

export interface MeddlingProxy {
  /** 'host:port' */
  readonly endpoint: string
  stop(): void
}

/** @param target 'host:port' */
export async function startMeddlingProxy(target: string, meddling: Meddling): Promise<MeddlingProxy> {
  const client = new ApiClient(target)
  const server = new Server()
  for (const service of [KV, Lease, Watch, Maintenance]) {
    server.addService(definitionOf(service), implementationOf(service, client, meddling))
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
  const stop = (): void => {
    server.forceShutdown()
    client.close()
  }
  return { endpoint: `127.0.0.1:${port}`, stop }
}

function definitionOf(service: DescService): ServiceDefinition {
  const asIs = (bytes: Buffer): Buffer => bytes
  const entries = service.methods.map((method): [string, MethodDefinition<Buffer, Buffer>] => [
    method.localName,
    {
      path: pathOf(method),
      requestStream: method.methodKind === 'bidi_streaming',
      responseStream: method.methodKind !== 'unary',
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  ])
  return Object.fromEntries(entries)
}

function implementationOf(service: DescService, client: ApiClient, meddling: Meddling): UntypedServiceImplementation {
  return Object.fromEntries(
    service.methods.map((method) => [
      method.localName,
      method.methodKind === 'unary' ? unary(method, client, meddling) : stream(method, client, meddling),
    ]),
  )
}

function unary(method: DescMethod, client: ApiClient, meddling: Meddling): handleUnaryCall<Buffer, Buffer> {
  return ({ request }, answer) => {
    const forward = (bytes: Buffer): Promise<Buffer> => client.raw(pathOf(method), bytes)
    const result = meddling.unary?.(method, request, forward) ?? forward(request)
    result.then(
      (bytes) => answer(null, bytes),
      (error: unknown) => answer(error as ServiceError),
    )
  }
}

function stream(method: DescMethod, client: ApiClient, meddling: Meddling): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    const upstream = client.stream(method)
    call.on('data', (bytes: Buffer) => {
      const answer = meddling.answer?.(method, bytes)
      if (answer === undefined) upstream.send(bytes)
      else call.write(answer)
    })
    call.on('cancelled', () => upstream.close())
    call.on('end', () => upstream.close())
    upstream.onMessage((bytes) => {
      const passed = meddling.message === undefined ? bytes : meddling.message(method, bytes)
      if (passed !== undefined) call.write(passed)
    })
    upstream.onEnd(() => call.end())
  }
}
