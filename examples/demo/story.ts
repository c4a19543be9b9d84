/** The story of "Kafka on Kubernetes – using etcd": broker 0 dies, leadership moves, broker 0 comes back. */
import type { Stage } from './stage.ts'

const TOPIC = 'kafka-test'
const STATE = `/brokers/topics/${TOPIC}/partitions/0/state`
const WORDS = ['welcome', 'kafka', 'on', 'etcd', 'good', 'you', 'are', 'here']

/** The states that the story comes to, as they stand in the store. */
const BEFORE = '{"controller_epoch":1,"leader":0,"version":1,"leader_epoch":0,"isr":[0,1,2]}'
const KILLED = '{"controller_epoch":2,"leader":1,"version":1,"leader_epoch":1,"isr":[1,2]}'
const BACK = '{"controller_epoch":2,"leader":1,"version":1,"leader_epoch":1,"isr":[1,2,0]}'

/** @param tell shows a line. @returns what was not as it should be; empty if the story came out well. */
export async function play(stage: Stage, tell: (line: string) => void): Promise<readonly string[]> {
  const problems: string[] = []
  const storage = stage.plugin.getStorage()
  const comesTo = async (state: string) => {
    let seen: string | undefined
    try {
      await stage.until(state, async () => {
        seen = await storage.fetch(STATE)
        return seen === state ? true : undefined
      })
    } catch {
      problems.push(`${STATE} should be ${state}, and is ${String(seen)}`)
    }
    tell(`  ${STATE}\n  ${String(seen)}`)
  }

  tell('\n1. Three brokers. Broker 0 is the first, so it becomes controller.')
  await stage.startBroker(0)
  await stage.until('a controller', () => stage.plugin.getLeaderElection('controller').getLeader())
  await Promise.all([1, 2].map((id) => stage.startBroker(id)))
  const epochs = [...(await stage.plugin.getGroupMembership('brokers').members()).values()].map(({ id, epoch }) => {
    return `broker ${id}: epoch ${epoch}`
  })
  const controller = await stage.plugin.getLeaderElection('controller').getLeader()
  tell(`  ${epochs.sort().join(', ')}; controller: broker ${String(controller)}`)

  const client = stage.client()
  try {
    tell('\n2. A topic with one partition, on all of them.')
    await client.createTopic(TOPIC, { assignment: { 0: [0, 1, 2] } })
    await comesTo(BEFORE)

    tell('\n3. Eight records; each is acknowledged when all three brokers have it.')
    for (const word of WORDS) await client.produce(TOPIC, 0, [Buffer.from(word)])
    await consume(WORDS)

    tell('\n4. kill -9 broker 0.')
    const killed = performance.now()
    await stage.killBroker(0)
    await comesTo(KILLED)
    tell(`  after ${Math.round(performance.now() - killed)} ms`)
    await consume(WORDS)

    tell('\n5. One more record, and broker 0 is started again.')
    await client.produce(TOPIC, 0, [Buffer.from('again')])
    await stage.startBroker(0)
    await comesTo(BACK)
    await consume([...WORDS, 'again'])
  } finally {
    client.close()
  }
  return problems

  async function consume(expected: readonly string[]): Promise<void> {
    const records = (await client.fetchAll(TOPIC, 0)).map(({ value }) => value.toString())
    tell(`  consumed: ${records.join(' ')}`)
    if (records.join(' ') !== expected.join(' ')) problems.push(`consumed should have been: ${expected.join(' ')}`)
  }
}
