/** What all clients have: a node that they talk to until it is gone, and answers that are checked. */
import type { Command } from '../command/command.ts'
import { type FailureCode, RequestFailure } from '../command/failure.ts'
import { type Engine, ForwardedRefusal, type RoutedRequest } from '../engine/api.ts'
import type { Chance } from './chance.fixture.ts'
import type { Checks, Invocation } from './checks.fixture.ts'
import type { Cluster, Running, SimulatedNode } from './cluster.fixture.ts'
import { readAll, type Seen } from './operations.fixture.ts'
import { type Answer, decodeAnswer, renewalOf, requestOf, serve } from './requests.fixture.ts'
import type { World } from './world.fixture.ts'

/** After so long a client goes elsewhere. */
const PATIENCE_MS = 9_000
const DELAY_MS = 3

/** The outcome is not known. */
const UNKNOWN: ReadonlySet<string> = new Set<FailureCode>(['TIMEOUT', 'LEADER_LOST'])
/** It is certain that nothing has happened, nor will. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set<FailureCode>([
  'NOT_LEADER',
  'NO_LEADER',
  'STOPPED',
  'TOO_MANY_REQUESTS',
])

export interface ClientParts {
  readonly world: World
  readonly cluster: Cluster
  readonly checks: Checks
}

/** How an operation ended, as its client sees it. */
export type Ending =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'refusal'; readonly code: string }
  /** Not even this is known. */
  | { readonly kind: 'lost' }

export class Client {
  readonly parts: ClientParts
  readonly chance: Chance
  #node: SimulatedNode

  constructor(parts: ClientParts, name: string) {
    this.parts = parts
    this.chance = parts.world.chance.branch(name)
    this.#node = this.chance.pick(parts.cluster.nodes)
  }

  get node(): SimulatedNode {
    return this.#node
  }

  /** To another node, if there is one. */
  move(node: SimulatedNode = this.chance.pick(this.parts.cluster.nodes)): void {
    this.#node = node
  }

  /** Sends a command to the node. */
  async command(command: Command): Promise<Ending> {
    const { checks } = this.parts
    const invocation = checks.invoke()
    const ending = await this.#request(requestOf(command, invocation.operation))
    this.#judge(invocation, ending)
    return ending
  }

  /** The granted TTL; 0 if there is no such lease; undefined if there was no answer. */
  async renew(id: bigint): Promise<number | undefined> {
    const { checks } = this.parts
    const invocation = checks.invoke()
    const ending = await this.#request(renewalOf(id))
    if (ending.kind !== 'answer') return undefined
    const ttl = Number(ending.answer.result)
    if (ttl > 0) checks.renewed(invocation, id, ttl)
    return ttl
  }

  async read(serializable: boolean): Promise<Seen | undefined> {
    const { checks } = this.parts
    const invocation = checks.invoke()
    const seen = await this.#atNode<Seen | undefined>(async (engine) => {
      try {
        return await engine.read(serializable, () => {
          const all = readAll(engine)
          if (serializable) checks.sawState(all.revision, all.state)
          else checks.read(invocation, all)
          return all
        })
      } catch (error) {
        if (!(error instanceof RequestFailure)) this.#defect('a read', error)
        return undefined
      }
    })
    return seen
  }

  #request(request: RoutedRequest): Promise<Ending> {
    return this.#atNode<Ending>(async (engine) => {
      try {
        const answer = await engine.route(request, () => serve(engine, request))
        return { kind: 'answer', answer: decodeAnswer(answer instanceof Uint8Array ? answer : answer.forwarded) }
      } catch (error) {
        if (error instanceof RequestFailure) return { kind: 'refusal', code: error.code }
        if (error instanceof ForwardedRefusal) return { kind: 'refusal', code: error.message }
        this.#defect(request.method, error)
        return { kind: 'lost' }
      }
    }).then((ending) => ending ?? { kind: 'lost' })
  }

  /** Also an answer that comes too late for the client to wait for is judged. */
  #judge(invocation: Invocation, ending: Ending): void {
    const { checks } = this.parts
    if (ending.kind === 'answer') checks.acknowledged(invocation, ending.answer)
    else if (ending.kind === 'lost' || UNKNOWN.has(ending.code)) checks.counts.unknown++
    else if (WITHOUT_EFFECT.has(ending.code)) checks.withoutEffect(invocation, ending.code)
    else checks.refused(invocation, ending.code)
  }

  /** Undefined if the node died, did not answer, or was not there. */
  #atNode<T>(work: (engine: Engine) => Promise<T>): Promise<T | undefined> {
    const { world } = this.parts
    const running = this.#node.running
    if (running?.engine === undefined || running.isStopping) {
      this.move()
      return new Promise((resolve) => {
        world.schedule(20, undefined, 'client finds nobody', () => resolve(undefined))
      })
    }
    return this.#ask(running, running.engine, work)
  }

  #ask<T>(running: Running, engine: Engine, work: (engine: Engine) => Promise<T>): Promise<T | undefined> {
    const { world } = this.parts
    const { process } = running
    return new Promise((resolve) => {
      const giveUp = (): void => {
        this.move()
        world.schedule(0, undefined, 'client gives up', () => resolve(undefined))
      }
      const stay = process.onDeath(giveUp)
      const patience = world.schedule(PATIENCE_MS, undefined, 'client loses patience', giveUp)
      world.schedule(this.chance.between(0, DELAY_MS), process, 'request', () => {
        const done = work(engine).then((result) => {
          stay()
          patience.cancel()
          // The client is not part of the process: it goes on when the process is gone.
          world.schedule(this.chance.between(0, DELAY_MS), undefined, 'answer', () => resolve(result))
        })
        done.catch((error: unknown) => this.#defect('a client', error))
      })
    })
  }

  #defect(what: string, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? '') : String(error)
    this.parts.world.violate(`${what} was answered with a defect: ${text}`)
  }
}
