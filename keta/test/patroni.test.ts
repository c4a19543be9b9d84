/**
 * What Patroni does with etcd, by bare HTTP as it does it: finds the version and the members, keeps a leader key alive
 * by a lease, watches it, and tells from the texts and codes of refusals what to do next.
 */
import { expect } from 'chai'
import { startKeta } from '../../test-servers/keta.ts'
import type { TestServer } from '../../test-servers/server.ts'
import { HttpClient } from './http-client.fixture.ts'

const encoded = (text: string): string => Buffer.from(text).toString('base64')
const LEADER = encoded('/service/batman/leader')

interface Header {
  readonly revision: string
  readonly raft_term: string
  readonly cluster_id: string
}

describe("Patroni's way with the JSON gateway", function () {
  this.timeout(30_000)
  let server: TestServer
  let client: HttpClient

  before(async () => {
    server = await startKeta()
    client = new HttpClient(server.endpoint)
  })

  after(async () => {
    client.close()
    await server.stop()
  })

  const grant = async (ttl: number): Promise<string> => {
    const { ID } = await client.call('/v3/lease/grant', { TTL: ttl })
    return ID as string
  }

  /** Takes the leader key if nobody has it. */
  const takeLead = (name: string, lease: string) =>
    client.call('/v3/kv/txn', {
      compare: [{ key: LEADER, target: 'CREATE', create_revision: '0' }],
      success: [{ request_put: { key: LEADER, value: encoded(name), lease } }],
      failure: [],
    })

  it('learns the version, and the members with their URLs', async () => {
    const { body } = await client.send({ path: '/version' })
    expect(JSON.parse(body))
      .to.have.property('etcdserver')
      .that.matches(/^3\.6\./)
    const { members } = await client.call('/v3/cluster/member/list', {})
    expect(members)
      .to.have.nested.property('[0].clientURLs')
      .that.deep.equals([`http://${server.endpoint}`])
  })

  it('is told that there is no authentication to do', async () => {
    const answer = await client.send({ path: '/v3/auth/authenticate', body: '{"name":"a","password":"b"}' })
    expect(answer.status).to.be.oneOf([400, 501])
  })

  it('wins the lead once, keeps it while it renews, and loses it with its lease', async () => {
    const [first, second] = [await grant(30), await grant(30)]
    expect(await takeLead('one', first)).to.include({ succeeded: true })
    expect(await takeLead('two', second)).not.to.have.property('succeeded')
    const renewed = await client.send({ path: '/v3/lease/keepalive', body: JSON.stringify({ ID: first }) })
    expect(JSON.parse(renewed.body)).to.have.nested.property('result.TTL', '30')
    const { kvs } = await client.call('/v3/kv/range', { key: LEADER, serializable: true })
    expect(kvs).to.have.nested.property('[0].lease', first)
    await client.call('/v3/lease/revoke', { ID: first })
    const gone = await client.send({ path: '/v3/lease/keepalive', body: JSON.stringify({ ID: first }) })
    expect(JSON.parse(gone.body)).to.have.property('result').that.does.not.have.property('TTL')
    expect(await takeLead('two', second)).to.include({ succeeded: true })
  })

  it('is told of an unknown lease in the very words', async () => {
    const answer = await client.send({
      path: '/v3/kv/put',
      body: JSON.stringify({ key: LEADER, value: '', lease: 12_345 }),
    })
    expect(answer).to.include({ status: 404, body: '{"code":5,"message":"etcdserver: requested lease not found"}' })
  })

  it('sees on a watch what happens to its keys, with headers that never go back', async () => {
    const { header } = (await client.call('/v3/kv/put', { key: encoded('/service/x'), value: encoded('1') })) as {
      header: Header
    }
    await client.call('/v3/kv/deleterange', { key: encoded('/service/x') })
    const watch = {
      key: encoded('/service/'),
      range_end: encoded('/service0'),
      start_revision: header.revision,
      filters: [],
    }
    const { body } = await client.send(
      { path: '/v3/watch', body: JSON.stringify({ create_request: watch }) },
      { isWhole: (text) => text.includes('DELETE'), quietMs: 300 },
    )
    const lines = body
      .trim()
      .split('\n')
      .map(
        (line) => JSON.parse(line) as { result: { created?: boolean; header: Header; events?: { type?: string }[] } },
      )
    expect(lines[0]?.result.created).to.equal(true)
    expect(lines.flatMap(({ result }) => result.events ?? []).map(({ type = 'PUT' }) => type)).to.deep.equal([
      'PUT',
      'DELETE',
    ])
    for (const { result } of lines) {
      expect(Number(result.header.raft_term)).to.be.at.least(Number(header.raft_term))
      expect(result.header.cluster_id).to.equal(header.cluster_id)
    }
  })
})
