/**
 * Connections between nodes. A message takes its time, waits for ever where the way is cut, and its answer may be lost
 * on the way back. That a process is dead is learnt from its machine, which must be reached for that.
 */
import { PeerError, type PeerHandler, type PeerLink, type PeerRequest, type PeerResponse } from '../cluster/peers.ts'
import type { Peers } from '../cluster/peers.ts'
import type { Chance } from './chance.fixture.ts'
import type { Network } from './network.fixture.ts'
import type { Process, World } from './world.fixture.ts'

export interface PeerFaults {
  readonly delayMs: number
  readonly lostRequests: number
  readonly lostAnswers: number
}

/** A process that can be asked. */
export interface Reachable {
  readonly process: Process
  readonly handler: PeerHandler
}

export interface PeerParts {
  readonly world: World
  readonly network: Network
  readonly faults: PeerFaults
  /** Who runs at this URL now. */
  readonly at: (url: string) => Reachable | undefined
  /** How a node is called that may be down. */
  readonly nodeAt: (url: string) => number
}

export class SimulatedPeers implements Peers {
  readonly #parts: PeerParts
  readonly #process: Process
  readonly #chance: Chance

  constructor(parts: PeerParts, process: Process) {
    this.#parts = parts
    this.#process = process
    this.#chance = parts.world.chance.branch(`peers ${process.id}`)
  }

  connect(urls: readonly string[], onGone: () => void): PeerLink {
    return new Link(this.#parts, this.#process, this.#chance, urls[0] ?? '', onGone)
  }
}

class Link implements PeerLink {
  readonly #parts: PeerParts
  readonly #self: Process
  readonly #chance: Chance
  readonly #url: string
  readonly #onGone: () => void
  #established: Process | undefined
  #forgetDeath: () => unknown = () => undefined
  #isClosed = false
  readonly #waiting = new Set<(error: PeerError) => void>()

  constructor(...given: [PeerParts, Process, Chance, string, () => void]) {
    ;[this.#parts, this.#self, this.#chance, this.#url, this.#onGone] = given
    this.#later('connect', () => this.#establish())
  }

  request(request: PeerRequest, timeoutMs: number): Promise<PeerResponse> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(new PeerError('closed', false))
        return
      }
      this.#establish()
      const peer = this.#established
      if (peer === undefined) {
        this.#later('refused', () => reject(new PeerError('refused', false)))
        return
      }
      this.#exchange(peer, request, timeoutMs, { resolve, reject })
    })
  }

  close(): void {
    this.#isClosed = true
    this.#forgetDeath()
    this.#breakOff()
  }

  #exchange(
    peer: Process,
    request: PeerRequest,
    timeoutMs: number,
    waiter: { readonly resolve: (response: PeerResponse) => void; readonly reject: (error: PeerError) => void },
  ): void {
    const { world, network, faults, at } = this.#parts
    const fail = (error: PeerError): void => {
      this.#waiting.delete(fail)
      timer.cancel()
      waiter.reject(error)
    }
    const timer = this.#self.clock.setTimer(timeoutMs, () => {
      // A connection on which nothing comes is given up for a new one.
      if (peer.isDead && this.#established === peer) this.#established = undefined
      fail(new PeerError('no answer', true))
    })
    this.#waiting.add(fail)
    if (this.#chance.happens(faults.lostRequests)) return
    world.schedule(this.#delay(), peer, `peer ${request.kind}`, () => {
      if (!network.reaches(this.#self.node, peer.node)) return
      const reachable = at(this.#url)
      if (reachable?.process !== peer) return
      const answered = (response: PeerResponse): void => {
        if (this.#chance.happens(faults.lostAnswers)) return
        world.schedule(this.#delay(), this.#self, `peer answer ${response.kind}`, () => {
          if (!network.reaches(peer.node, this.#self.node) || !this.#waiting.delete(fail)) return
          timer.cancel()
          waiter.resolve(response)
        })
      }
      reachable.handler.handle(request).then(answered, (error: unknown) => {
        world.violate(`the peer handler rejected: ${String(error)}`)
      })
    })
  }

  #establish(): void {
    const { at, network, nodeAt } = this.#parts
    if (this.#isClosed || this.#established !== undefined) return
    const peer = at(this.#url)?.process
    const node = nodeAt(this.#url)
    if (!network.reaches(this.#self.node, node) || !network.reaches(node, this.#self.node)) return
    if (peer === undefined) return
    this.#established = peer
    this.#forgetDeath()
    this.#forgetDeath = peer.onDeath(() => this.#died(peer))
  }

  /** Its machine ends the connection, if it is reached. */
  #died(peer: Process): void {
    const { network, at } = this.#parts
    this.#later('connection ended', () => {
      if (this.#isClosed || this.#established !== peer) return
      if (!network.reaches(peer.node, this.#self.node)) return
      this.#established = undefined
      this.#breakOff()
      if (at(this.#url) === undefined) this.#onGone()
      else this.#establish()
    })
  }

  #breakOff(): void {
    for (const fail of [...this.#waiting]) fail(new PeerError('the connection ended', true))
  }

  #later(what: string, happen: () => void): void {
    this.#parts.world.schedule(this.#delay(), this.#self, what, happen)
  }

  #delay(): number {
    return this.#chance.skewed(0.1, this.#parts.faults.delayMs)
  }
}
