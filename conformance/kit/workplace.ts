/** What one case works with, and its end: everything that was opened is closed, and what cannot be is told. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BackendHarness } from '../harness.ts'
import type { AgentPool } from './agent-pool.ts'
import type { Given, PartyOptions } from './case.ts'
import type { Link } from './link.ts'
import { type StartedLocal, startLocalParty } from './local-party.ts'
import { machineNow } from './machine-time.ts'
import { openLink } from './proxied-link.ts'
import { type RecordedHistory, recordHistory } from './recorded-history.ts'
import { remoteParty, type StartedRemote } from './remote-party.ts'
import { seeded } from './seeded.ts'
import { propertiesText } from './properties-text.ts'
import { makeWaits, type Waits } from './waits.ts'

/** Of the machine itself, with several cases on it at once. */
const MACHINE_SLACK_MS = 500
const CONNECTIONS_CLOSE_MS = 1_000

const GROUP = 'brokers'
const SERVICE = 'controller'

export interface WorkplaceSetup {
  readonly harness: BackendHarness
  readonly pool: AgentPool
  readonly caseId: string
  readonly seed: string
  readonly scale: 'quick' | 'full'
  /** What the orderly end of a client may take, milliseconds. */
  readonly closeLimitMs: number
  /** The case is over, whether it knows it or not. */
  readonly signal: AbortSignal
}

/** By when, after the deadline of a dead client, everybody must have been told. Milliseconds. */
export function graceOf({ expect, expiryLagMs }: BackendHarness): number {
  return expect.session.granularityMs + expiryLagMs + expect.notifications.maxLagMs + MACHINE_SLACK_MS
}

export class Workplace {
  readonly given: Given
  readonly waits: Waits
  readonly history: RecordedHistory
  readonly measured = new Map<string, number>()
  readonly #setup: WorkplaceSetup
  readonly #locals: StartedLocal[] = []
  readonly #remotes: StartedRemote[] = []
  readonly #links: Link[] = []
  readonly #afterwards: (() => Promise<void> | void)[] = []
  readonly #clusterId: string
  #folder: Promise<string> | undefined
  #opened = 0

  constructor(setup: WorkplaceSetup) {
    const { harness, caseId, seed, scale, signal } = setup
    this.#setup = setup
    // a store may outlive the run, and the seed may be used again
    this.#clusterId = `conformance-${caseId.toLowerCase()}-${randomUUID().slice(0, 8)}`
    const graceMs = graceOf(harness)
    this.waits = makeWaits(signal, harness.sessionTtlMs + graceMs)
    this.history = recordHistory(this.waits)
    this.given = {
      harness,
      hooks: harness.hooks,
      capabilities: harness.expect,
      T: harness.sessionTtlMs,
      graceMs,
      clusterId: this.#clusterId,
      now: machineNow,
      random: seeded(`${seed}/${caseId}`),
      scale: (quick, full) => (scale === 'full' ? full : quick),
      party: (name, options) => this.waits.track(`${name}: startup`, this.#party(name, options)),
      process: (name, options) => this.waits.track(`${name}: startup`, this.#process(name, options)),
      link: () => this.#link('a link'),
      properties: (link) => harness.properties(link.endpoints),
      serverProperties: (link, options) => this.#serverProperties(link, options),
      history: this.history,
      measured: (what, ms) => void this.measured.set(what, Math.round(ms)),
      until: (what, condition, withinMs) => this.waits.until(what, condition, withinMs),
      always: (what, condition, forMs) => this.waits.always(what, condition, forMs),
      after: (task) => this.#afterwards.push(task),
    }
  }

  /** What the plugins of this process and of the agents have logged, by party. */
  get logged(): readonly string[] {
    const local = this.#locals.flatMap(({ name, logged }) => logged.map((line) => `${name}: ${line}`))
    const remote = this.#remotes.flatMap(({ name, events }) =>
      events.flatMap((event) => (event.type === 'log' ? [`${name}: ${event.line}`] : [])),
    )
    return [...local, ...remote]
  }

  /** Closes everything. @returns what was wrong with that, and what went wrong unseen in the agents. */
  async finish(): Promise<readonly string[]> {
    const problems: string[] = []
    for (const task of this.#afterwards.reverse()) {
      await Promise.resolve()
        .then(task)
        .catch((error: unknown) => problems.push(`what was to be done after the case failed: ${String(error)}`))
    }
    for (const link of this.#links) link.heal()
    const closed = await Promise.all(
      [...this.#locals, ...this.#remotes].map((party) => party.close(this.#setup.closeLimitMs)),
    )
    problems.push(...closed.flat(), ...(await this.#openConnections()))
    await Promise.all(this.#links.map((link) => link.close()))
    for (const { name, events } of this.#remotes) {
      for (const event of events) {
        if (event.type === 'unhandled') problems.push(`${name}: an error that nobody caught: ${event.error}`)
        this.history.addEvent(name, event)
      }
    }
    if (this.#folder !== undefined) await rm(await this.#folder, { recursive: true, force: true })
    return problems
  }

  async #party(name: string, options: PartyOptions = {}): Promise<StartedLocal> {
    const { harness, seed, caseId } = this.#setup
    const link = await this.#linkOf(name, options)
    const { host } = options
    const party = await startLocalParty({
      name,
      link,
      server: this.#serverSettings(options),
      host: {
        random: seeded(`${seed}/${caseId}/${name}`),
        ...host,
        config: { ...harness.properties(link.endpoints), ...options.properties, ...host?.config },
      },
      group: GROUP,
      service: SERVICE,
    })
    this.#locals.push(party)
    await this.#refuseWhenOver(party)
    return party
  }

  async #process(name: string, options: PartyOptions = {}): Promise<StartedRemote> {
    const { pool, closeLimitMs } = this.#setup
    const link = await this.#linkOf(name, options)
    const serverProperties = await this.#serverProperties(link, options)
    const agent = pool.take()
    const about = { name, agent, link, waits: this.waits, endLimitMs: closeLimitMs }
    try {
      const sessionId = await agent.request({ is: 'start', serverProperties, group: GROUP, service: SERVICE })
      const party = remoteParty({ ...about, sessionId: String(sessionId) })
      this.#remotes.push(party)
      await this.#refuseWhenOver(party)
      return party
    } catch (error) {
      await agent.kill()
      throw error
    }
  }

  /** A case that was given up goes on opening things until it notices. */
  async #refuseWhenOver(party: StartedLocal | StartedRemote): Promise<void> {
    const { signal, closeLimitMs } = this.#setup
    if (!signal.aborted) return
    await party.close(closeLimitMs)
    signal.throwIfAborted()
  }

  async #linkOf(name: string, { link }: PartyOptions): Promise<Link> {
    const shared = this.#links.find((known) => known === link)
    return shared ?? this.#link(name)
  }

  async #link(owner: string): Promise<Link> {
    const { harness, signal, seed, caseId } = this.#setup
    signal.throwIfAborted()
    const link = await openLink(harness.endpoints, seeded(`${seed}/${caseId}/link ${owner} ${++this.#opened}`))
    this.#links.push(link)
    return link
  }

  #serverSettings({ clusterId = this.#clusterId, sessionTtlMs }: PartyOptions): Readonly<Record<string, string>> {
    const { locator, additionalModules = [], sessionTtlMs: usual } = this.#setup.harness
    return {
      'plugin.locator.classname': locator,
      ...(additionalModules.length > 0 && { 'plugin.additional.modules': additionalModules.join(',') }),
      'plugin.cluster.id': clusterId,
      'plugin.session.timeout.ms': String(sessionTtlMs ?? usual),
    }
  }

  async #serverProperties(link: Link, options: PartyOptions = {}): Promise<string> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'conformance-'))
    const number = ++this.#opened
    const plugin = join(await this.#folder, `plugin-${number}.properties`)
    const server = join(await this.#folder, `server-${number}.properties`)
    const config = { ...this.#setup.harness.properties(link.endpoints), ...options.properties }
    await writeFile(plugin, propertiesText(config))
    await writeFile(server, propertiesText({ ...this.#serverSettings(options), 'plugin.configuration.file': plugin }))
    return server
  }

  /** Parties that are shut down have let go of their connections. */
  async #openConnections(): Promise<readonly string[]> {
    const open = () => this.#links.reduce((sum, { connections }) => sum + connections, 0)
    const end = machineNow() + CONNECTIONS_CLOSE_MS
    while (open() > 0 && machineNow() < end) {
      await new Promise((resolve) => {
        setTimeout(resolve, 10)
      })
    }
    const left = open()
    return left === 0 ? [] : [`${left} connections are still open after all clients were shut down`]
  }
}
