/**
 * /metrics beside a real etcd's: what etcd's dashboards ask for is there, under the same type; and every expression of
 * the dashboard and the alerts in examples/deploy asks for something that is there.
 */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { ensureEtcd, startEtcd } from '../../test-servers/etcd.ts'
import { startKeta } from '../../test-servers/keta.ts'
import { provideOrSkip, type TestServer } from '../../test-servers/server.ts'
import { ETCD_DASHBOARD_NAMES, ETCD_PEER_NAMES } from './etcd-dashboard-names.ts'
import { HttpClient } from './http-client.fixture.ts'

const DEPLOY = new URL('../../examples/deploy/', import.meta.url)

describe('the metrics', function () {
  this.timeout(60_000)
  let servers: readonly TestServer[] = []

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.stop()))
    servers = []
  })

  it('have what etcd dashboards ask for, with the types that they have in etcd', async function () {
    await provideOrSkip(this, ensureEtcd)
    const flags = ['--metrics=extensive']
    servers = await Promise.all([startEtcd({ fsync: false, flags }), startKeta({ flags })])
    const [etcd, keta] = await Promise.all(servers.map(typesOf))
    for (const name of ETCD_DASHBOARD_NAMES) {
      expect(etcd?.get(name), `${name} of etcd`).to.be.a('string')
      expect(keta?.get(name), name).to.equal(etcd?.get(name))
    }
    for (const [name, type] of keta ?? []) {
      if (etcd?.has(name) === true) expect(type, name).to.equal(etcd.get(name))
    }
  })

  it('are those that the dashboard and the alerts of the examples ask for', async () => {
    servers = [await startKeta({ flags: ['--metrics=extensive'] })]
    const [types] = await Promise.all(servers.map(typesOf))
    const expressions = [...dashboardExpressions(), ...alertExpressions()]
    expect(expressions).to.have.length.above(15)
    for (const expression of expressions) {
      const names = expression.match(/\b(?:etcd|grpc|keta|process|os|go)_[a-z_]+\b(?!=)/g) ?? []
      const metrics = names.filter((name) => !/^grpc_(?:code|method|service|type)$/.test(name))
      expect(metrics, expression).to.have.length.above(0)
      for (const name of metrics) {
        expect(types?.has(name.replace(/_(?:bucket|sum|count)$/, '')), `${name} of ${expression}`).to.equal(true)
        expect(ETCD_PEER_NAMES, expression).not.to.include(name)
      }
    }
  })
})

/** Name → type, of every metric that is exported. */
async function typesOf({ endpoint }: TestServer): Promise<ReadonlyMap<string, string>> {
  const client = new HttpClient(endpoint)
  await client.call('/v3/kv/put', { key: 'YQ==', value: 'YQ==' })
  await client.send({ path: '/health' })
  const { body } = await client.send({ path: '/metrics' })
  client.close()
  return new Map([...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]))
}

function dashboardExpressions(): readonly string[] {
  const dashboard = JSON.parse(readFileSync(new URL('grafana/keta-dashboard.json', DEPLOY), 'utf8')) as {
    readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[]
  }
  return dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
}

function alertExpressions(): readonly string[] {
  const rules = parse(readFileSync(new URL('alerts.yml', DEPLOY), 'utf8')) as {
    readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[]
  }
  return rules.groups.flatMap((group) => group.rules.map(({ expr }) => expr))
}
