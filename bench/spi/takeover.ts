/** How soon others know: of a changed value, of a leader that resigns, of a leader that is killed. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { PluginLocator } from '../../spi/index.ts'
import { loadPlugin } from '../../spi/node/index.ts'
import { median } from './latency.ts'
import type { Subject } from './subjects.ts'

export interface Takeover {
  /** From the acknowledgement of an update to the listener of another client, milliseconds; the median. */
  readonly listenerLag: number
  /** From the call of resign to the election of the next. */
  readonly afterResign: number
  /** From the SIGKILL of the leader's process to the election of the next; undefined without several processes. */
  readonly afterKill: number | undefined
}

export const TTL_MS = 2_000

const LEADER = fileURLToPath(new URL('./leader-process.ts', import.meta.url))

export async function measureTakeover(subject: Subject, rounds: number): Promise<Takeover> {
  await using a = await open(subject)
  await using b = await open(subject)
  const { multiProcess } = a.getStorage().capabilities
  return {
    listenerLag: await listenerLag(a, b, rounds * 20),
    afterResign: await afterResign(a, b, rounds),
    afterKill: multiProcess ? await afterKill(subject, b, rounds) : undefined,
  }
}

export function open(subject: Subject): Promise<PluginLocator> {
  const server = { 'plugin.locator.classname': subject.locator, 'plugin.session.timeout.ms': String(TTL_MS) }
  return loadPlugin(server, { config: subject.properties })
}

async function listenerLag(a: PluginLocator, b: PluginLocator, rounds: number): Promise<number> {
  const storage = a.getStorage()
  await storage.put('/lag', '0')
  let heard: (text: string | undefined) => void = () => undefined
  await b.getListenerRegistry().addValueChangeListener('/lag', { valueChanged: (text) => heard(text) })
  const lags: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const told = new Promise<number>((resolve) => {
      heard = (text) => {
        if (text === String(round)) resolve(performance.now())
      }
    })
    await storage.update('/lag', String(round))
    const acknowledged = performance.now()
    lags.push((await told) - acknowledged)
  }
  return median(lags)
}

async function afterResign(a: PluginLocator, b: PluginLocator, rounds: number): Promise<number> {
  const [first, second] = [a.getLeaderElection('resigned'), b.getLeaderElection('resigned')]
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    await first.nominate('a')
    await first.awaitLeadership('a')
    await second.nominate('b')
    const elected = second.awaitLeadership('b').then(() => performance.now())
    const begun = performance.now()
    await first.resign('a')
    times.push((await elected) - begun)
    await second.resign('b')
  }
  return median(times)
}

async function afterKill(subject: Subject, b: PluginLocator, rounds: number): Promise<number> {
  const election = b.getLeaderElection('killed')
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const leader = fork(LEADER, [subject.locator, JSON.stringify(subject.properties)])
    await once(leader, 'message')
    await election.nominate('b')
    const elected = election.awaitLeadership('b').then(() => performance.now())
    const begun = performance.now()
    leader.kill('SIGKILL')
    times.push((await elected) - begun)
    await election.resign('b')
  }
  return median(times)
}
