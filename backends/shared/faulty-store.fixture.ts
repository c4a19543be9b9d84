/** Clients of one store in memory, whose commits may be lost on their way there, on their way back, or be late. */
import { type Capabilities, CoordinationError, pluginContext, silentLogger, systemClock } from '../../spi/index.ts'
import { DirectAccess } from '../memory/access.ts'
import { ForwardingDriver } from '../memory/forwarding.fixture.ts'
import { MemoryDriver } from '../memory/memory-driver.ts'
import { StoreHost } from '../memory/store-host.ts'
import { Store } from '../memory/store.ts'
import type { Call, Commit, CommitOutcome } from './driver.ts'
import type { Kernel } from './kernel.ts'
import { makeKernelCore } from './make-kernel.ts'
import { SessionKeeper } from './session-keeper.ts'

export type CommitFault = 'none' | 'unsent' | 'lost-request' | 'lost-reply' | 'late'

export class FaultyDriver extends ForwardingDriver {
  /** Asked for each commit. */
  fault: () => CommitFault = () => 'none'
  /** Asked for each question about a commit. */
  answers: () => boolean = () => true
  readonly commits: Commit[] = []
  readonly questions: Commit[] = []
  readonly #capabilities: Capabilities
  readonly #late: (() => Promise<unknown>)[] = []

  constructor(host: StoreHost, capabilities: Partial<Capabilities>) {
    const inner = new MemoryDriver(new DirectAccess(host, systemClock), pluginContext({ logger: silentLogger }))
    super(inner)
    this.#capabilities = { ...inner.capabilities, ...capabilities }
  }

  override get capabilities(): Capabilities {
    return this.#capabilities
  }

  override async commit(commit: Commit, call: Call): Promise<CommitOutcome> {
    this.commits.push(commit)
    const fault = this.fault()
    if (fault === 'unsent') throw broken('none')
    if (fault === 'none') return super.commit(commit, call)
    if (fault === 'late') this.#late.push(() => this.inner.commit(commit, unlimited()))
    if (fault === 'lost-reply') await this.inner.commit(commit, call)
    throw broken('unknown')
  }

  override async outcomeOf(commit: Commit, call: Call): Promise<CommitOutcome | 'never'> {
    this.questions.push(commit)
    if (!this.answers()) throw broken('none')
    return super.outcomeOf(commit, call)
  }

  /** What was late arrives now. */
  async arrive(): Promise<void> {
    await Promise.allSettled(this.#late.splice(0).map((arrive) => arrive()))
  }
}

export function makeHost(): StoreHost {
  return new StoreHost(new Store())
}

export interface FaultyClient {
  readonly driver: FaultyDriver
  readonly kernel: Kernel
  /** What was written to the log for whoever debugs. */
  readonly debugged: readonly string[]
  close(): Promise<void>
}

export async function makeFaultyClient(
  host: StoreHost,
  capabilities: Partial<Capabilities> = {},
): Promise<FaultyClient> {
  const driver = new FaultyDriver(host, capabilities)
  const debugged: string[] = []
  const logger = { ...silentLogger, debug: (message: string) => debugged.push(message) }
  // short pauses
  const context = pluginContext({ logger, sessionTimeoutMs: 5_000, random: () => Math.random() / 50 })
  const closing = new AbortController()
  const core = makeKernelCore({ context, driver, closing: closing.signal })
  const keeper = new SessionKeeper(core)
  await keeper.open()
  const close = async () => {
    closing.abort()
    await keeper.close()
    await driver.close()
  }
  return { driver, kernel: { ...core, sessions: keeper }, debugged, close }
}

function broken(effect: 'none' | 'unknown'): CoordinationError {
  return new CoordinationError('CONNECTION', 'the connection broke', { backend: 'memory', effect })
}

function unlimited(): Call {
  return { signal: new AbortController().signal, timeoutMs: 5_000 }
}
