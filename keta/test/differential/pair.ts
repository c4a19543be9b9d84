/** The two compared servers: sends every request to both, in lock-step, and stops at the first difference. */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import {
  MemberListRequestSchema,
  MemberListResponseSchema,
  type ResponseHeader,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { compareAnswers, compareMessages, type Names } from './compare.ts'
import type { Answer, Connection, RawStream, StreamHandlers } from './connection.ts'
import { show } from './show.ts'

/** The two servers differ. The message says everything that is needed to look into it. */
export class DifferenceError extends Error {
  override readonly name = 'DifferenceError'
}

export interface Request {
  readonly method: DescMethodUnary
  readonly message: MessageShape<DescMessage>
}

/** What the requests so far have made of the store, as far as the next requests depend on it. */
export interface World {
  /** Of the newest answer. */
  revision: bigint
  /** 0 if nothing was compacted. */
  compacted: bigint
  /** Every revision that was compacted at. */
  readonly compactions: Set<bigint>
  /** Granted and not revoked. */
  readonly leases: Set<bigint>
}

export interface Tokens {
  readonly left: string
  readonly right: string
}

const HISTORY = 25

export class Pair {
  readonly left: Connection
  readonly right: Connection
  readonly names: Names
  readonly world: World = { revision: 1n, compacted: 0n, compactions: new Set(), leases: new Set() }
  /** Requests sent to each server so far. */
  requests = 0
  /** Whoever asks, where that is not nobody: each server has given a token of its own. */
  tokens: Tokens | undefined
  readonly #seed: number
  readonly #history: string[] = []
  #phase = ''

  constructor(left: Connection, right: Connection, seed: number) {
    this.left = left
    this.right = right
    this.names = { left: left.name, right: right.name }
    this.#seed = seed
  }

  /** Names what follows, for messages. */
  enter(phase: string): void {
    this.#phase = phase
  }

  /** One request to both. @returns the left answer's message, undefined for an error. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    message: MessageShape<I>,
  ): Promise<MessageShape<O> | undefined> {
    const bytes = toBinary(method.input, message)
    this.note(`${method.name} ${show(message)}`)
    const [left, right] = await this.send(pathOf(method), bytes)
    this.#check(method, left, right)
    return left.ok ? fromBinary(method.output, left.bytes) : undefined
  }

  /** To each a request of its own, made from the server's member id. */
  async callOwn<I extends DescMessage>(
    method: DescMethodUnary<I>,
    make: (memberId: bigint) => MessageShape<I>,
  ): Promise<void> {
    this.note(`${method.name} with each server's own member id`)
    const list = toBinary(MemberListRequestSchema, create(MemberListRequestSchema))
    const answers = await this.send('/etcdserverpb.Cluster/MemberList', list)
    const [left, right] = answers.map((answer) => {
      const members = answer.ok ? fromBinary(MemberListResponseSchema, answer.bytes).members : []
      return toBinary(method.input, make(members[0]?.ID ?? 0n))
    })
    if (!left || !right) throw new Error('two requests were encoded to fewer')
    const path = pathOf(method)
    this.#check(method, ...(await Promise.all([this.left.unary(path, left), this.right.unary(path, right)])))
  }

  /** Requests that change nothing, all at once. */
  async callConcurrently(requests: readonly Request[]): Promise<void> {
    for (const { method, message } of requests) this.note(`${method.name} ${show(message)}`)
    const first = this.requests - requests.length
    const answers = await Promise.all(
      requests.map(({ method, message }) => this.send(pathOf(method), toBinary(method.input, message))),
    )
    answers.forEach(([left, right], i) => {
      const request = requests[i]
      if (request) this.#check(request.method, left, right, first + i + 1)
    })
  }

  /** Any bytes to any path. */
  async callRaw(path: string, bytes: Uint8Array, output: DescMessage, codeOnly = false): Promise<void> {
    this.note(`${path} with ${bytes.length} raw bytes ${Buffer.from(bytes.subarray(0, 40)).toString('hex')}`)
    const [left, right] = await this.send(path, bytes)
    this.expectNone(compareAnswers(output, left, right, this.names, codeOnly))
  }

  /** Both answers, not compared. */
  send(path: string, bytes: Uint8Array): Promise<[Answer, Answer]> {
    const { left, right } = this.tokens ?? {}
    return Promise.all([this.left.unary(path, bytes, left), this.right.unary(path, bytes, right)])
  }

  /** A stream on each server, of whoever asks now. */
  stream(side: 'left' | 'right', path: string, handlers: StreamHandlers): RawStream {
    return this[side].stream(path, handlers, this.tokens?.[side])
  }

  /** @throws DifferenceError */
  compareAnswers(schema: DescMessage, left: Answer, right: Answer): void {
    this.expectNone(compareAnswers(schema, left, right, this.names))
  }

  compare(schema: DescMessage, left: MessageShape<DescMessage>, right: MessageShape<DescMessage>): void {
    this.expectNone(compareMessages(schema, left, right, this.names))
  }

  /** Adds a line to the record of requests that is printed with a difference. */
  note(request: string): void {
    this.requests++
    this.remark(`${this.requests}: ${request}`)
  }

  /** As `note`, of what is no request. */
  remark(text: string): void {
    this.#history.push(text)
    if (this.#history.length > HISTORY + 16) this.#history.shift()
  }

  /** @throws DifferenceError if there is a difference */
  expectNone(found: string | undefined, step = this.requests): void {
    if (found === undefined) return
    throw new DifferenceError(
      [
        `seed ${this.#seed}, phase "${this.#phase}", request ${step}: the servers differ`,
        found,
        `after (revision ${this.world.revision}, compacted ${this.world.compacted}):`,
        ...this.#history.map((line) => `  ${line}`),
      ].join('\n'),
    )
  }

  #check(method: DescMethodUnary, left: Answer, right: Answer, step?: number): void {
    this.expectNone(compareAnswers(method.output, left, right, this.names), step)
    if (!left.ok) return
    const answer = fromBinary(method.output, left.bytes) as { readonly header?: ResponseHeader }
    const revision = answer.header?.revision ?? 0n
    if (revision > this.world.revision) this.world.revision = revision
  }
}

export function pathOf(method: DescMethodUnary): string {
  return `/${method.parent.typeName}/${method.name}`
}
