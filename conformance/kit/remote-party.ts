/** A client in a child process, with the face of RemoteParty. */
import type { AgentProcess } from './agent-process.ts'
import type { Target } from './agent-protocol.ts'
import type { Link } from './link.ts'
import type { RemoteElection, RemoteEvent, RemoteGroup, RemoteParty } from './party.ts'
import type { Waits } from './waits.ts'

export interface StartedRemote extends RemoteParty {
  /** Ends it in order, by force if need be. @returns what was wrong with that. */
  close(limitMs: number): Promise<readonly string[]>
}

interface RemoteSetup {
  readonly name: string
  readonly agent: AgentProcess
  readonly link: Link
  readonly waits: Waits
  readonly sessionId: string
  /** How long `end` waits for the process, milliseconds. */
  readonly endLimitMs: number
}

const STORAGE = ['put', 'update', 'delete', 'fetch', 'fetchEntry', 'list', 'transact'] as const
const GROUP = ['join', 'updateData', 'leave', 'membershipList', 'members', 'observe'] as const
const ELECTION = [
  ...(['nominate', 'awaitLeadership', 'resign', 'withdraw', 'getLeader', 'leader'] as const),
  ...(['leadership', 'fencedPut', 'observe'] as const),
]

/** @param setup.agent has started its plugin. */
export function remoteParty(setup: RemoteSetup): StartedRemote {
  const { name, agent, link, waits, endLimitMs } = setup
  const ask = (what: string, order: Parameters<AgentProcess['request']>[0]) =>
    waits.track(`${name}: ${what}`, agent.request(order))
  const face = (target: Target, methods: readonly string[]): unknown =>
    Object.fromEntries(
      methods.map((method) => [
        method,
        async (...args: readonly unknown[]) => {
          refuseSignals(args)
          return ask(`${method}(${args.map(briefly).join(', ')})`, {
            is: 'call',
            target,
            method,
            args: method === 'awaitLeadership' ? awaitArguments(args) : args,
          })
        },
      ]),
    )
  return {
    name,
    link,
    pid: agent.pid,
    get sessionId() {
      return sessionOf(agent.events) ?? setup.sessionId
    },
    storage: face({ of: 'storage' }, STORAGE) as RemoteParty['storage'],
    group: (group) => face({ of: 'group', ...(group !== undefined && { name: group }) }, GROUP) as RemoteGroup,
    election: (service) =>
      face({ of: 'election', ...(service !== undefined && { name: service }) }, ELECTION) as RemoteElection,
    get events() {
      return agent.events
    },
    event: (fits, withinMs, from = 0) => waits.track(`${name}: an event`, nextEvent(setup, fits, withinMs, from)),
    run: <R>(routine: string, args?: unknown) => ask(`routine ${routine}`, { is: 'run', routine, args }) as Promise<R>,
    kill: () => agent.kill(),
    stop: () => agent.stop(),
    continue: () => agent.continue(),
    async busy(ms) {
      await ask(`busy for ${ms} ms`, { is: 'busy', ms })
    },
    async end() {
      const code = await waits.track(`${name}: the end of its process`, agent.end(endLimitMs))
      if (code === undefined)
        throw new Error(`${name}: the process has not ended by itself ${endLimitMs} ms later${saidBy(agent)}`)
      return code
    },
    close: (limitMs) => closeAgent(name, agent, limitMs),
  }
}

async function closeAgent(name: string, agent: AgentProcess, limitMs: number): Promise<readonly string[]> {
  if (!agent.isAlive) return []
  if (agent.isStopped) {
    await agent.kill()
    return []
  }
  const code = await agent.end(limitMs)
  if (code === undefined) {
    await agent.kill()
    return [`${name}: its process has not ended by itself ${limitMs} ms after it was told to shut down${saidBy(agent)}`]
  }
  return code === 0 ? [] : [`${name}: its process ended with ${code}${saidBy(agent)}`]
}

function saidBy({ output }: AgentProcess): string {
  return output === '' ? '' : `: ${output.trimEnd()}`
}

function nextEvent(
  { name, agent }: RemoteSetup,
  fits: (event: RemoteEvent) => boolean,
  withinMs: number,
  from: number,
): Promise<RemoteEvent> {
  const past = agent.events.slice(from).find(fits)
  if (past !== undefined) return Promise.resolve(past)
  return new Promise((resolve, reject) => {
    const end = agent.onEvent((event) => {
      try {
        if (!fits(event)) return
        settle(() => resolve(event))
      } catch (error) {
        settle(() => reject(error instanceof Error ? error : new Error(String(error))))
      }
    })
    const timer = setTimeout(() => {
      const seen = agent.events.slice(from).filter(({ type }) => type !== 'log')
      const last = seen.slice(-5).map(({ at: _at, ...event }) => briefly(event))
      const told = last.join(' ') || 'none'
      const message = `no such event of ${name} within ${withinMs} ms; since then, the last ones: ${told}`
      settle(() => reject(new Error(message)))
    }, withinMs)
    const settle = (how: () => void) => {
      clearTimeout(timer)
      end()
      how()
    }
  })
}

function sessionOf(events: readonly RemoteEvent[]): string | undefined {
  const last = events.findLast(({ type }) => type === 'reestablished')
  return last?.type === 'reestablished' ? last.session : undefined
}

/** `awaitLeadership(candidate, timeoutMs?)` is the SPI's with options. */
function awaitArguments([candidate, timeoutMs]: readonly unknown[]): readonly unknown[] {
  return timeoutMs === undefined ? [candidate] : [candidate, { timeoutMs }]
}

function refuseSignals(args: readonly unknown[]): void {
  const has = args.some((arg) => typeof arg === 'object' && arg !== null && 'signal' in arg)
  if (has) throw new Error('a signal cannot be sent to another process: use a party of this one')
}

function briefly(value: unknown): string {
  const text = JSON.stringify(value, (_name, inner: unknown) => {
    if (inner instanceof Uint8Array) return `${inner.length} bytes`
    return typeof inner === 'bigint' ? `${inner}n` : inner
  }) as string | undefined
  return text === undefined ? 'undefined' : text.length > 60 ? `${text.slice(0, 57)}...` : text
}
