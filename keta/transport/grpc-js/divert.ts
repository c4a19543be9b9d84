/** Requests on HTTP/2 connections that are not gRPC: they are taken out before grpc-js sees them. */
import { EventEmitter } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import type { Server } from '@grpc/grpc-js'

/** What takes a request; `rest` goes with it and is not looked at. */
export type TakeStream = (stream: ServerHttp2Stream, ...rest: readonly unknown[]) => void

/**
 * grpc-js answers 415 by itself to what is not gRPC, and has no hook for it. So the HTTP/2 server behind the injector
 * that was made last is given another listener. It is not part of the public interface: should it change, the server
 * does not start.
 */
export function divertRequests(server: Server, take: TakeStream): void {
  const servers: unknown = Reflect.get(server, 'http2Servers')
  const http2: unknown = servers instanceof Map ? [...servers.keys()].at(-1) : undefined
  if (!(http2 instanceof EventEmitter)) throw new Error('grpc-js keeps its HTTP/2 servers elsewhere')
  const [serveCall] = http2.listeners('stream') as TakeStream[]
  if (serveCall === undefined) throw new Error('grpc-js listens for calls elsewhere')
  http2.removeAllListeners('stream')
  http2.on('stream', (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>, ...rest: unknown[]) => {
    if (isGrpc(headers['content-type'])) serveCall(stream, headers, ...rest)
    else take(stream, headers, ...rest)
  })
}

function isGrpc(contentType: unknown): boolean {
  return typeof contentType === 'string' && contentType.startsWith('application/grpc')
}
