/**
 * For tests: the services on a real engine with its log in memory, called through the table that a transport would
 * serve.
 */
import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'

import { BcryptPasswords } from '../credentials/passwords.ts'
import type { Engine, OpenedEngine } from '../engine/api.ts'
import { systemClock } from '../engine/system-clock.ts'
import { openTestEngine } from '../engine/test-engine.fixture.ts'
import type { Log } from '../log/log.ts'
import { MemoryLog } from '../log/memory/memory-log.ts'
import type { Call, ClientCertificate, Method, RpcError, ServiceTable } from '../transport/transport.ts'
import type { Readiness } from './health.ts'
import { createServices, type ServiceOptions } from './services.ts'

export const IDENTITY = { clusterId: 2n ** 63n + 1n, memberId: 2n ** 64n - 2n, name: 'keta-0' }

/** A readiness that a test can change. */
export class Switch implements Readiness {
  readonly listeners = new Set<() => void>()
  serving = true

  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  set(serving: boolean): void {
    this.serving = serving
    for (const listener of this.listeners) listener()
  }
}

export function testEngine(log: Log = new MemoryLog()): Promise<OpenedEngine> {
  return openTestEngine({ identity: IDENTITY, clientUrls: () => ['http://127.0.0.1:2379'], log, clock: systemClock })
}

export function testServices(engine: Engine, options: Partial<ServiceOptions> = {}): ServiceTable {
  return createServices(engine, {
    version: '3.6.16',
    readiness: new Switch(),
    random: (count) => new Uint8Array(count).fill(0xff),
    credentials: { passwords: new BcryptPasswords(4) },
    ...options,
  }).table
}

/** Within a `describe`: each of its tests gets an engine of its own, with these services. */
export function servedEngine(options: Partial<ServiceOptions> = {}) {
  let engine: OpenedEngine
  let log: MemoryLog
  /** One object for all the tests, filled anew for each. */
  const services = new Map<string, ReadonlyMap<string, Method>>()
  const serve = (others: Partial<ServiceOptions>): void => {
    services.clear()
    for (const [name, methods] of testServices(engine, others)) services.set(name, methods)
  }

  beforeEach(async () => {
    log = new MemoryLog()
    engine = await testEngine(log)
    serve(options)
  })

  afterEach(() => engine.stop())

  return {
    services,
    /** Serves with other options until the end of the test. */
    serve,
    get engine() {
      return engine
    },
    get log() {
      return log
    },
  }
}

/** What a call shows of who calls: a token, sent as clients send it, or what TLS has found out. */
export type Shown = string | { readonly token?: string; readonly certificate: ClientCertificate }

function callWith(shown: Shown | undefined): Call {
  const { token, certificate } = typeof shown === 'object' ? shown : { token: shown, certificate: undefined }
  const metadata = (name: string) => (name === 'token' ? token : undefined)
  return { metadata, peer: 'test', certificate, onClosed: () => undefined }
}

/** A call that its client can give up. */
export class TestCall implements Call {
  readonly peer = 'test'
  readonly #listeners: (() => void)[] = []
  #closed = false

  metadata(): undefined {
    return undefined
  }

  onClosed(listener: () => void): void {
    if (this.#closed) listener()
    else this.#listeners.push(listener)
  }

  close(): void {
    this.#closed = true
    for (const listener of this.#listeners.splice(0)) listener()
  }
}

/** Calls a unary method with messages. @throws what the method throws, an RpcError for a refusal. */
export async function call<M extends DescMethod>(
  services: ServiceTable,
  description: M,
  request: MessageInitShape<M['input']>,
  as?: Shown | TestCall,
): Promise<MessageShape<M['output']>> {
  const method = methodOf(services, description)
  if (method.kind !== 'unary') throw new Error(`${description.name} is a stream`)
  const bytes = toBinary(description.input, create(description.input, request))
  const response = await method.handle(method.decode(bytes), as instanceof TestCall ? as : callWith(as))
  return fromBinary(description.output, method.encode(response)) as MessageShape<M['output']>
}

/**
 * An open stream as its client sees it. A promise that `send` returns is pending while no further request would be
 * read.
 */
export class TestStream<M extends DescMethod> {
  readonly answers: MessageShape<M['output']>[] = []
  ended = false
  failure: RpcError | undefined
  /** What the service is told of the client's appetite. */
  takesMore = true
  readonly #description: M
  readonly #method: Extract<Method, { kind: 'stream' }>
  readonly #handler: ReturnType<Extract<Method, { kind: 'stream' }>['open']>

  constructor(services: ServiceTable, description: M, shown?: Shown) {
    const method = methodOf(services, description)
    if (method.kind !== 'stream') throw new Error(`${description.name} is not a stream`)
    this.#description = description
    this.#method = method
    this.#handler = method.open(
      {
        send: (response) => {
          this.answers.push(fromBinary(description.output, method.encode(response)) as MessageShape<M['output']>)
          return this.takesMore
        },
        end: () => {
          this.ended = true
        },
        fail: (error: RpcError) => {
          this.failure = error
        },
      },
      callWith(shown),
    )
  }

  async send(request: MessageInitShape<M['input']>): Promise<void> {
    const bytes = toBinary(this.#description.input, create(this.#description.input, request))
    await this.#handler.message(this.#method.decode(bytes))
  }

  halfClose(): void {
    this.#handler.halfClosed()
  }

  drain(): void {
    this.takesMore = true
    this.#handler.drained()
  }

  close(): void {
    this.#handler.closed()
  }
}

function methodOf(services: ServiceTable, { parent, name }: DescMethod): Method {
  const method = services.get(parent.typeName)?.get(name)
  if (method === undefined) throw new Error(`${parent.typeName}/${name} is not served`)
  return method
}

/** The status and the text that a call is refused with. */
export async function refusalOf(answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => reason as RpcError,
  )
  return error === undefined ? 'no refusal' : `${error.status}: ${error.message}`
}

export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}
