import { expect } from 'chai'

import type { OpenedEngine } from '../engine/api.ts'
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '../proto/gen/health/health_pb.js'
import type { ServiceTable } from '../transport/transport.ts'
import { call, refusalOf, Switch, testEngine, testServices, TestStream } from './test-client.fixture.ts'

const { check, list, watch } = Health.method

describe('the Health service', () => {
  let engine: OpenedEngine
  let services: ServiceTable
  let readiness: Switch

  beforeEach(async () => {
    engine = await testEngine()
    readiness = new Switch()
    services = testServices(engine, { readiness })
  })

  afterEach(() => engine.stop())

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
