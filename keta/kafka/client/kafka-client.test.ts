import { expect } from 'chai'
import type { BrokerAddress, KafkaClient } from './client.ts'
import { KafkaError } from './client.ts'
import { createKafkaClient } from './kafka-client.ts'
import type { ScriptedRequest } from './scripted-connection.fixture.ts'
import { ScriptedConnection } from './scripted-connection.fixture.ts'

const METADATA = 3

describe('the Kafka client', () => {
  /** Ports of the brokers that accept connections. */
  let up: Set<number>
  let leader: number
  /** What a broker answers that knows better than the others. */
  let leaderByAsked: Map<number, number>
  let topicUuid: string
  let opened: number[]
  let client: KafkaClient

  beforeEach(() => {
    up = new Set([1, 2])
    leader = 2
    leaderByAsked = new Map()
    topicUuid = '00000000-0000-0000-0000-000000000001'
    opened = []
    const settings = {
      bootstrapServers: [broker(1), broker(2)],
      clientId: 'test',
      requestTimeoutMs: 1000,
      sasl: { mechanism: 'PLAIN', username: 'keta', password: 'secret-word' },
    } as const
    client = createKafkaClient(settings, (address) => {
      if (!up.has(address.port)) return Promise.reject(new Error(`connect ECONNREFUSED ${address.port}`))
      opened.push(address.port)
      return Promise.resolve(new ScriptedConnection(answeredBy(address), address))
    })
  })

  function answeredBy({ port }: BrokerAddress): (request: ScriptedRequest) => void {
    return (request) => {
      if (request.key === METADATA) request.answer(metadata(port))
      else request.refuse('UNSUPPORTED_VERSION')
    }
  }

  function metadata(asked: number): unknown {
    const partitions = [{ partitionIndex: 0, leaderId: leaderByAsked.get(asked) ?? leader }]
    const brokers = [1, 2, 3].map((port) => ({ nodeId: port, ...broker(port) }))
    return { clusterId: 'cluster', brokers, topics: [{ name: 'log', topicId: topicUuid, partitions }] }
  }

  it('gives out one living connection for each use, to the leader', async () => {
    const [first, second] = await Promise.all([client.toLeader('log', 'produce'), client.toLeader('log', 'produce')])
    expect(first).to.equal(second)
    expect(first.port).to.equal(2)
    expect(await client.toLeader('log', 'produce')).to.equal(first)
    expect(await client.toLeader('log', 'fetch')).not.to.equal(first)
    expect(opened).to.deep.equal([1, 2, 2])
  })

  it('gives out another one when it was lost', async () => {
    const first = await client.toLeader('log', 'produce')
    first.socket.destroy()
    expect(await client.toLeader('log', 'produce')).not.to.equal(first)
  })

  it('asks again where the leader is once it is doubted, and never gives out what was doubted', async () => {
    const first = await client.toLeader('log', 'produce')
    leader = 1
    client.distrust(first)
    const second = await client.toLeader('log', 'produce')
    expect(second.port).to.equal(1)
    expect(first.isConnected()).to.equal(false)
  })

  it('leaves the other connections alone when one is doubted', async () => {
    const fetching = await client.toLeader('log', 'fetch')
    client.distrust(await client.toLeader('log', 'produce'))
    expect(await client.toLeader('log', 'fetch')).to.equal(fetching)
    expect(fetching.isConnected()).to.equal(true)
  })

  it('asks the brokers one after the other, and says of each what happened', async () => {
    up = new Set([2])
    expect(await client.clusterId()).to.equal('cluster')
    up = new Set()
    client.distrust(
      await client.toLeader('log', 'x').catch(() => new ScriptedConnection(answeredBy(broker(2)), broker(2))),
    )
    const failure = await failureOf(client.clusterId())
    expect(failure.code).to.equal('UNREACHABLE')
    expect(failure.message).to.include('broker:1: connect ECONNREFUSED 1')
    expect(failure.message).to.include('broker:2: connect ECONNREFUSED 2')
    expect(failure.message).not.to.include('secret-word')
  })

  it('does not believe for ever a broker that points to one that is gone', async () => {
    leader = 3
    const stale = client.toLeader('log', 'produce')
    expect((await failureOf(stale)).code).to.equal('UNREACHABLE')
    leaderByAsked = new Map([[2, 2]])
    const attempts = [await outcome(), await outcome(), await outcome()]
    expect(attempts).to.include('connected')
  })

  async function outcome(): Promise<string> {
    return client.toLeader('log', 'produce').then(
      () => 'connected',
      () => 'failed',
    )
  }

  it('says that there is no leader at the moment', async () => {
    leader = -1
    expect((await failureOf(client.toLeader('log', 'produce'))).code).to.equal('UNSETTLED')
    leader = 1
    expect((await client.toLeader('log', 'produce')).port).to.equal(1)
  })

  it('does not lead to a topic that was made anew under the same name', async () => {
    client.distrust(await client.toLeader('log', 'produce'))
    topicUuid = '00000000-0000-0000-0000-000000000002'
    expect((await failureOf(client.toLeader('log', 'produce'))).code).to.equal('UNSAFE_TOPIC')
  })

  it('gives ids as the tools of Kafka print them', async () => {
    expect((await client.topic('log'))?.id).to.equal('AAAAAAAAAAAAAAAAAAAAAQ')
  })

  it('tells a broker that is too old from one that cannot be reached', async () => {
    expect((await failureOf(client.toCoordinator('group', 'group'))).code).to.equal('PROTOCOL')
  })

  it('closes every connection, and opens none any more', async () => {
    const connection = await client.toLeader('log', 'produce')
    await client.close()
    await client.close()
    expect(connection.isConnected()).to.equal(false)
    expect((await failureOf(client.toLeader('log', 'produce'))).message).to.include('closed')
  })
})

function broker(port: number): BrokerAddress {
  return { host: 'broker', port }
}

async function failureOf(promise: Promise<unknown>): Promise<KafkaError> {
  const error: unknown = await promise.catch((caught: unknown) => caught)
  if (error instanceof KafkaError) return error
  throw new Error(`not a KafkaError: ${String(error)}`)
}
