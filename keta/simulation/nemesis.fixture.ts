/** Does what goes wrong, at random times. */
import type { Chance } from './chance.fixture.ts'
import type { Cluster, SimulatedNode } from './cluster.fixture.ts'
import type { LogLink, Network } from './network.fixture.ts'
import type { Fault, Plan } from './plan.fixture.ts'
import type { SimulatedGroup } from './simulated-group.fixture.ts'
import type { Topic } from './topic.fixture.ts'
import type { World } from './world.fixture.ts'

export interface NemesisParts {
  readonly world: World
  readonly plan: Plan
  readonly cluster: Cluster
  readonly network: Network
  readonly topic: Topic
  readonly group: SimulatedGroup
}

/** How long a fault lasts at most. */
const LONGEST_MS = 8_000

export class Nemesis {
  readonly #parts: NemesisParts
  readonly #chance: Chance
  #isOver = false

  constructor(parts: NemesisParts) {
    this.#parts = parts
    this.#chance = parts.world.chance.branch('nemesis')
  }

  start(): void {
    const { world, plan } = this.#parts
    if (plan.faults.length === 0) return
    world.schedule(this.#chance.between(0, 2 * plan.faultEveryMs), undefined, 'fault', () => {
      if (this.#isOver) return
      this.#strike(this.#chance.pick(plan.faults))
      this.start()
    })
  }

  /** Everything is mended. */
  end(): void {
    const { network, cluster, group, world } = this.#parts
    world.note(() => 'everything is mended')
    this.#isOver = true
    network.heal()
    group.mend()
    for (const node of cluster.nodes) {
      node.running?.process.resume()
      cluster.start(node)
    }
  }

  #strike(fault: Fault): void {
    const { world, cluster, group, topic } = this.#parts
    const node = this.#anyNode()
    world.note(() => `fault: ${fault}, n${node.number}`)
    switch (fault) {
      case 'crash':
        cluster.crash(node)
        this.#later('starts again', () => cluster.start(node))
        break
      case 'stop':
        cluster.stop(node)
        break
      case 'pause':
        this.#pause(node)
        break
      case 'cut log':
      case 'mute log':
      case 'isolate':
        this.#cutLog(node, fault)
        break
      case 'cut group':
        this.#cutGroup(node)
        break
      case 'cut peers':
        this.#cutEdge(node.number, this.#anyNode().number)
        break
      case 'cut node':
        this.#cutNode(node)
        break
      case 'fail over':
        topic.failOver()
        break
      case 'mark':
        topic.mark()
        break
      case 'expel':
        group.expelAnyone()
        break
      case 'mislead':
        group.mislead()
        break
      case 'forget group':
        group.forget()
        break
      case 'damage snapshot':
        this.#damage(node)
        break
      case 'move leader':
        this.#moveLeader(node)
        break
    }
  }

  #pause({ running }: SimulatedNode): void {
    if (running === undefined) return
    running.process.pause()
    this.#later('goes on', () => running.process.resume())
  }

  #cutLog({ number }: SimulatedNode, fault: 'cut log' | 'mute log' | 'isolate'): void {
    const { network } = this.#parts
    const links: Record<typeof fault, LogLink> = { 'cut log': 'cut', 'mute log': 'mute', isolate: 'isolated' }
    network.setLogLink(number, links[fault])
    this.#later('log is back', () => network.setLogLink(number, 'up'))
  }

  #cutGroup({ number }: SimulatedNode): void {
    const { network } = this.#parts
    network.setGroupLink(number, false)
    this.#later('group is back', () => network.setGroupLink(number, true))
  }

  #cutEdge(from: number, to: number): void {
    const { network } = this.#parts
    network.setEdge(from, to, false)
    this.#later('edge is back', () => network.setEdge(from, to, true))
  }

  #cutNode(node: SimulatedNode): void {
    this.#cutLog(node, 'cut log')
    this.#cutGroup(node)
    for (const { number } of this.#parts.cluster.nodes) {
      if (number === node.number) continue
      this.#cutEdge(node.number, number)
      this.#cutEdge(number, node.number)
    }
  }

  #damage({ disk }: SimulatedNode): void {
    const newest = Math.max(...disk.keys())
    const snapshot = disk.get(newest)
    if (snapshot !== undefined) snapshot.isDamaged = true
  }

  #moveLeader(to: SimulatedNode): void {
    const { cluster, world } = this.#parts
    const [leader] = cluster.leaders
    const running = leader?.running
    if (running?.engine === undefined || running.isStopping) return
    const { engine, process } = running
    world.schedule(0, process, 'move leader', () => {
      // Whether it succeeds does not matter.
      engine.moveLeader(BigInt(to.number)).catch(() => undefined)
    })
  }

  /** Rather the leader than another. */
  #anyNode(): SimulatedNode {
    const { cluster } = this.#parts
    const [leader] = cluster.leaders
    return leader !== undefined && this.#chance.happens(0.4) ? leader : this.#chance.pick(cluster.nodes)
  }

  #later(what: string, happen: () => void): void {
    this.#parts.world.schedule(this.#chance.skewed(100, LONGEST_MS), undefined, what, () => {
      if (!this.#isOver) happen()
    })
  }
}
