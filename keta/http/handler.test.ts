import { expect } from 'chai'

import { type ActiveAlarm, ALARM_CORRUPT, ALARM_NOSPACE } from '../command/command.ts'
import type { AccessRules } from './access.ts'
import { type HttpParts, httpHandler } from './handler.ts'
import { type Checked, Health } from './health.ts'
import { type ServedHttp, serveHttp } from './served-http.fixture.ts'

const ANYBODY: AccessRules = { cors: ['*'], hostWhitelist: ['*'] }

describe('what is served over HTTP', () => {
  let served: ServedHttp | undefined
  let alarms: readonly ActiveAlarm[]
  let leaderId: bigint
  let failure: Error | undefined

  beforeEach(() => {
    alarms = []
    leaderId = 1n
    failure = undefined
  })

  afterEach(async () => {
    await served?.close()
    served = undefined
  })

  const serve = async (access: AccessRules = ANYBODY, serves: HttpParts['serves'] = 'all') => {
    const engine = {
      alarms: () => alarms,
      get leaderId() {
        return leaderId
      },
      read: (serializable: boolean, read: () => unknown) =>
        failure === undefined || serializable ? read() : Promise.reject(failure),
      range: () => undefined,
    } as unknown as Checked
    const health = new Health(engine, (error) => expect.fail(String(error)))
    served = await serveHttp(httpHandler({ access, health, version: '3.6.16', metrics: () => 'metric 1\n', serves }))
    return served.client
  }

  it('is the version, the metrics and nothing else beside health and gateway', async () => {
    const client = await serve()
    expect((await client.send({ path: '/version' })).body).to.equal(
      '{"etcdserver":"3.6.16","etcdcluster":"3.6.0","storage":"3.6.0"}',
    )
    const metrics = await client.send({ path: '/metrics?x' })
    expect(metrics.body).to.equal('metric 1\n')
    expect(metrics.headers['content-type']).to.match(/^text\/plain; version=0\.0\.4/)
    for (const path of ['/', '/v3/kv/range', '/livez/x', '/constructor', '/readyz/constructor', '/%zz']) {
      expect(await client.send({ path }), path).to.include({ status: 404, body: '404 page not found\n' })
    }
  })

  it('is metrics and health only, for any host, where metrics are served alone', async () => {
    const client = await serve({ cors: ['http://a'], hostWhitelist: ['b'] }, 'metrics')
    expect(await client.send({ path: '/metrics' })).to.include({ status: 200 })
    expect(await client.send({ path: '/readyz' })).to.include({ status: 200, body: 'ok\n' })
    expect(await client.send({ path: '/version' })).to.include({ status: 404 })
  })

  it('says false of its health without a leader, and if reads fail, unless asked about this member only', async () => {
    const client = await serve()
    leaderId = 0n
    expect(await client.send({ path: '/health' })).to.include({
      status: 503,
      body: '{"health":"false","reason":"RAFT NO LEADER"}\n',
    })
    expect(await client.send({ path: '/health?serializable=true' })).to.include({ status: 200 })
    leaderId = 1n
    failure = new Error('etcdserver: request timed out')
    expect(await client.send({ path: '/health' })).to.include({
      status: 503,
      body: '{"health":"false","reason":"RANGE ERROR:etcdserver: request timed out"}\n',
    })
    expect(await client.send({ path: '/readyz' })).to.include({
      status: 503,
      body:
        '[+]data_corruption ok\n[+]serializable_read ok\n' +
        '[-]linearizable_read failed: etcdserver: request timed out\n[+]non_learner ok\n\n',
    })
    expect(await client.send({ path: '/livez' })).to.include({ status: 200 })
  })

  it('is unhealthy with an alarm unless that is left out, and not ready if the data are corrupt', async () => {
    const client = await serve()
    alarms = [{ memberId: 1n, alarm: ALARM_NOSPACE }]
    expect((await client.send({ path: '/health' })).body).to.equal('{"health":"false","reason":"ALARM NOSPACE"}\n')
    expect(await client.send({ path: '/health?exclude=NOSPACE' })).to.include({ status: 200 })
    expect(await client.send({ path: '/readyz' })).to.include({ status: 200 })
    alarms = [...alarms, { memberId: 1n, alarm: ALARM_CORRUPT }]
    expect((await client.send({ path: '/health?exclude=NOSPACE' })).body).to.include('ALARM CORRUPT')
    expect(await client.send({ path: '/readyz' })).to.include({ status: 503 })
    expect(await client.send({ path: '/readyz?exclude=data_corruption' })).to.include({ status: 200 })
  })

  it('answers browsers of the origins that are listed', async () => {
    const client = await serve({ cors: ['http://a', 'http://b'], hostWhitelist: [] })
    const allowed = await client.send({ path: '/version', method: 'OPTIONS', headers: { Origin: 'http://b' } })
    expect(allowed.status).to.equal(200)
    expect(allowed.headers).to.include({
      'access-control-allow-origin': 'http://b',
      'access-control-allow-methods': 'POST, GET, OPTIONS, PUT, DELETE',
      'access-control-allow-headers': 'accept, content-type, authorization',
    })
    const other = await client.send({ path: '/version', headers: { Origin: 'http://c' } })
    expect(other.headers).not.to.have.property('access-control-allow-origin')
  })

  it('refuses names of the host that are not listed', async () => {
    const client = await serve({ cors: ['*'], hostWhitelist: ['keta', '::1'] })
    const as = async (Host: string) => (await client.send({ path: '/version', headers: { Host } })).status
    expect([await as('keta'), await as('keta:2379'), await as('[::1]:2379')]).to.deep.equal([200, 200, 200])
    expect([await as('evil'), await as('evil:2379'), await as('keta.evil')]).to.deep.equal([421, 421, 421])
  })

  it('sends paths with empty or dotted parts to the clean ones', async () => {
    const client = await serve()
    const to = async (path: string) => {
      const { status, headers } = await client.send({ path })
      return status === 307 ? headers.location : status
    }
    expect(await to('//version')).to.equal('/version')
    expect(await to('/a/../version')).to.equal('/version')
    expect(await to('/v3')).to.equal('/v3/')
    expect(await to('/.')).to.equal('/')
    expect(await to('/%0d%0aX/..//y')).to.equal('/y')
    expect(await to('/%0d%0aX//y')).to.equal('/%0D%0AX/y')
  })
})
