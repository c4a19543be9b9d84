/** Connections between nodes over gRPC, with the client of @grpc/grpc-js: one channel, with one stream, per attempt. */
import { connect } from 'node:net'

import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
} from '@grpc/grpc-js'

import { ClosableCredentials } from './closable-credentials.ts'
import type { Address, Connection, ConnectionEvents, Network } from './connection.ts'
import { DEFAULT_LINK_TLS, LinkCredentials, type LinkTls } from './link-tls.ts'
import { EXCHANGE, PEER_SERVICE, SECRET_METADATA, VERSION, VERSION_METADATA } from './protocol.ts'

const CHANNEL_OPTIONS: ChannelOptions = {
  // After 2 s the other side is asked whether it is there, and after 3 s without an answer it is not.
  'grpc.keepalive_time_ms': 2_000,
  'grpc.keepalive_timeout_ms': 3_000,
  // A request must never be sent twice.
  'grpc.enable_retries': 0,
  // An answer is as large as it is: the other side has read it from its own memory.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  // A channel that is given up must not live on in its successor.
  'grpc.use_local_subchannel_pool': 1,
  // Nodes reach each other at the addresses that they announce.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_channelz': 0,
}

const PATH = `/${PEER_SERVICE}/${EXCHANGE}`
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }
const asIs = (bytes: Buffer): Buffer => bytes

/**
 * @param secret see secret.ts
 * @param tls asked for each connection to an https URL; by default the authorities that Node.js trusts count.
 */
export function grpcJsNetwork(secret: string, tls: () => LinkTls = () => DEFAULT_LINK_TLS): Network {
  return {
    dial: (url, events) => {
      const { protocol, hostname, port } = new URL(url)
      const target = `dns:${hostname}:${port === '' ? (DEFAULT_PORTS[protocol] ?? '') : port}`
      const host = hostname.replace(/^\[|\]$/g, '')
      const channelCredentials = protocol === 'https:' ? new LinkCredentials(host, tls()) : credentials.createInsecure()
      return new GrpcJsConnection(target, { channelCredentials, secret }, events)
    },
    probe,
  }
}

class GrpcJsConnection implements Connection {
  readonly #credentials: ClosableCredentials
  readonly #client: Client
  readonly #call: ClientDuplexStream<Buffer, Buffer>
  readonly #events: ConnectionEvents
  #opened = false
  #closed = false

  constructor(
    target: string,
    { channelCredentials, secret }: { readonly channelCredentials: ChannelCredentials; readonly secret: string },
    events: ConnectionEvents,
  ) {
    this.#credentials = new ClosableCredentials(channelCredentials)
    this.#events = events
    this.#client = new Client(target, this.#credentials, CHANNEL_OPTIONS)
    const metadata = new Metadata()
    metadata.set(VERSION_METADATA, VERSION)
    metadata.set(SECRET_METADATA, secret)
    this.#call = this.#client.makeBidiStreamRequest(PATH, asIs, asIs, metadata)
    this.#call.on('data', (message: Buffer) => this.#message(message))
    this.#call.on('drain', () => {
      if (!this.#closed) this.#events.drained()
    })
    this.#call.on('error', (error) => this.#ended(error))
    this.#call.on('end', () => this.#ended(new Error('the other side ended the stream')))
  }

  write(message: Buffer): boolean {
    return this.#call.write(message)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#call.cancel()
    this.#client.close()
    this.#credentials.close()
  }

  #message(message: Buffer): void {
    if (this.#closed) return
    if (this.#opened) this.#events.message(message)
    else {
      this.#opened = true
      this.#events.opened(addressOf(this.#call.getPeer()))
    }
  }

  #ended(cause: Error): void {
    if (this.#closed) return
    this.close()
    this.#events.ended(cause)
  }
}

/** @param peer `host:port` in numbers; the brackets of an IPv6 address are not part of it. */
function addressOf(peer: string): Address {
  const colon = peer.lastIndexOf(':')
  return { host: peer.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(peer.slice(colon + 1)) }
}

function probe({ host, port }: Address, done: (refused: boolean) => void): { cancel(): void } {
  const socket = connect({ host, port })
  let over = false
  const end = (): boolean => {
    socket.destroy()
    const first = !over
    over = true
    return first
  }
  socket.on('connect', () => {
    if (end()) done(false)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (end()) done(error.code === 'ECONNREFUSED')
  })
  return { cancel: end }
}
