import { expect } from 'chai'

import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '../proto/gen/health/health_pb.js'
import { call, refusalOf, servedEngine, Switch, TestStream } from './test-client.fixture.ts'

const { check, list, watch } = Health.method

describe('the Health service', () => {
  const { services, serve } = servedEngine()
  let readiness: Switch

  beforeEach(() => {
    readiness = new Switch()
    serve({ readiness })
  })

  it('tells whether the server serves', async () => {
    expect((await call(services, check, {})).status).to.equal(ServingStatus.SERVING)
    readiness.set(false)
    expect((await call(services, check, {})).status).to.equal(ServingStatus.NOT_SERVING)
    expect((await call(services, list, {})).statuses['']?.status).to.equal(ServingStatus.NOT_SERVING)
    expect(await refusalOf(call(services, check, { service: 'other' }))).to.equal('5: unknown service')
  })

  it('tells of changes, once each, until the client goes', async () => {
    const stream = new TestStream(services, watch)
    await stream.send({})
    stream.halfClose()
    readiness.set(true)
    readiness.set(false)
    const seen = (): ServingStatus[] => stream.answers.map(({ status }) => status)
    expect(seen()).to.deep.equal([ServingStatus.SERVING, ServingStatus.NOT_SERVING])
    stream.close()
    readiness.set(true)
    expect(seen()).to.have.length(2)
    expect(readiness.listeners.size).to.equal(0)
  })

  it('calls other services unknown', async () => {
    const stream = new TestStream(services, watch)
    await stream.send({ service: 'other' })
    expect(stream.answers[0]?.status).to.equal(ServingStatus.SERVICE_UNKNOWN)
    stream.close()
  })
})
