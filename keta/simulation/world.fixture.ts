/**
 * The one thread of a simulation: events in virtual time, each of which belongs to a process (a run of a node) or to
 * the world around. A process that has died is reached by nothing any more, one that is paused by everything later.
 */
import type { Clock, Timer } from '../engine/ports.ts'
import { type Chance, chanceOf } from './chance.fixture.ts'
import { EventHeap } from './event-heap.fixture.ts'
import { drainMicrotasks } from './microtasks.fixture.ts'
import type { Trace } from './trace.fixture.ts'

interface Scheduled {
  at: number
  order: number
  readonly process: Process | undefined
  readonly what: string
  readonly happen: () => void
  isCanceled: boolean
}

export class World {
  readonly trace: Trace
  readonly chance: Chance
  /** Called after every event, with the process that it belonged to. */
  onStep: (process: Process | undefined) => void = () => undefined
  /** The log itself has broken its promises: no more can be asked of the nodes than that they stop. */
  isForgiving = false
  #now = 0
  #order = 0
  #steps = 0
  #processes = 0
  #current: Process | undefined
  #violation: string | undefined
  readonly #heap = new EventHeap<Scheduled>()

  constructor(seed: number, trace: Trace) {
    this.trace = trace
    this.chance = chanceOf(seed)
  }

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#now
  }

  get steps(): number {
    return this.#steps
  }

  /** Whose code is running. */
  get current(): Process | undefined {
    return this.#current
  }

  /** The first promise that was broken. */
  get violation(): string | undefined {
    return this.#violation
  }

  violate(message: string): void {
    if (this.isForgiving) this.note(() => `forgiven: ${message}`)
    else this.condemn(message)
  }

  /** What is not forgiven in any case. */
  condemn(message: string): void {
    if (this.#violation !== undefined) return
    this.#violation = `at ${this.#now.toFixed(1)} ms: ${message}`
    this.note(() => `VIOLATION ${message}`)
  }

  note(line: () => string): void {
    this.trace.note(this.#now, this.#current?.node ?? 0, line)
  }

  /** @param process whose event it is; undefined: of the world around. */
  schedule(delayMs: number, process: Process | undefined, what: string, happen: () => void): Timer {
    const at = this.#now + Math.max(0, delayMs)
    const event: Scheduled = { at, order: this.#order++, process, what, happen, isCanceled: false }
    this.#heap.push(event)
    return {
      cancel: () => {
        event.isCanceled = true
      },
    }
  }

  newProcess(node: number, rate: number, offsetMs: number): Process {
    return new Process(this, { id: ++this.#processes, node, rate, offsetMs })
  }

  /** What a paused process missed happens now, in its order. */
  redeliver(missed: readonly Scheduled[]): void {
    for (const event of missed) {
      event.at = this.#now
      event.order = this.#order++
      this.#heap.push(event)
    }
  }

  /** Lets time pass up to `endMs`, or until something was violated. */
  runUntil(endMs: number, isOver: () => boolean = () => false): void {
    while (this.#violation === undefined && !isOver()) {
      const event = this.#heap.pop()
      if (event === undefined) throw new Error('nothing is left to happen')
      if (event.at > endMs) {
        this.#heap.push(event)
        this.#now = endMs
        return
      }
      this.#step(event)
    }
  }

  #step(event: Scheduled): void {
    const { process, what, happen, at } = event
    if (event.isCanceled || process?.isDead === true) return
    if (process?.isPaused === true) {
      process.missed.push(event)
      return
    }
    this.#now = at
    this.#steps++
    this.trace.step(at, process?.node ?? 0, what)
    this.#current = process
    happen()
    drainMicrotasks()
    this.#current = undefined
    this.onStep(process)
  }
}

/** One run of a node, from its start to its end. */
export class Process {
  readonly id: number
  readonly node: number
  readonly clock: Clock
  /** Events that came while it was paused. */
  readonly missed: Scheduled[] = []
  readonly #world: World
  #isDead = false
  #isPaused = false
  readonly #mourners = new Set<() => void>()

  constructor(world: World, given: { id: number; node: number; rate: number; offsetMs: number }) {
    const { id, node, rate, offsetMs } = given
    this.#world = world
    this.id = id
    this.node = node
    const schedule = (delayMs: number, what: string, happen: () => void): Timer =>
      world.schedule(delayMs / rate, this, what, happen)
    this.clock = {
      now: () => offsetMs + world.now * rate,
      setTimer: (delayMs, fire) => schedule(delayMs + 0.001, 'timer', fire),
      soon: (task) => {
        schedule(0, 'soon', task)
      },
    }
  }

  get isDead(): boolean {
    return this.#isDead
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** All memory is gone. */
  die(): void {
    this.#isDead = true
    this.missed.length = 0
    for (const mourner of [...this.#mourners]) mourner()
    this.#mourners.clear()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#world.redeliver(this.missed.splice(0))
  }

  /** @return takes it back. */
  onDeath(mourner: () => void): () => void {
    this.#mourners.add(mourner)
    return () => this.#mourners.delete(mourner)
  }
}
