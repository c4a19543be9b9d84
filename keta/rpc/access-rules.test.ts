import { expect } from 'chai'
import { Auth, Cluster, KV, Lease, Maintenance, Watch } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { ACCESS_RULES, accessRule } from './access-rules.ts'
import { call, refusalOf, servedEngine } from './test-client.fixture.ts'

describe('the rules of access', () => {
  const { services } = servedEngine()

  it('name every method that is served', () => {
    for (const [service, methods] of services) {
      for (const name of methods.keys()) {
        expect(ACCESS_RULES[service]?.[name], `rule of ${service}/${name} (keta/rpc/access-rules.ts)`).to.be.a('string')
      }
    }
  })

  it("name every method of etcd's services", () => {
    for (const { typeName, methods } of [Auth, Cluster, KV, Lease, Maintenance, Watch]) {
      for (const { name } of methods) {
        if (name === 'RangeStream') continue
        expect(ACCESS_RULES[typeName]?.[name], `rule of ${typeName}/${name}`).to.be.a('string')
      }
    }
  })

  it('leave what they do not name to root', () => {
    expect(accessRule('etcdserverpb.KV', 'Unheard')).to.equal('root')
    expect(accessRule('some.Service', 'Method')).to.equal('root')
  })

  it('hold for calls without a token as soon as auth is on', async () => {
    await call(services, Auth.method.userAdd, { name: 'root', password: 'secret' })
    await call(services, Auth.method.userGrantRole, { user: 'root', role: 'root' })
    await call(services, Auth.method.authEnable, {})
    for (const { typeName, methods } of [Auth, Cluster, KV, Lease, Maintenance]) {
      for (const description of methods) {
        const method = services.get(typeName)?.get(description.name)
        if (method?.kind !== 'unary' || description.name === 'Authenticate') continue
        const request = description.name === 'Range' || description.name === 'Put' ? { key: Buffer.from('k') } : {}
        const refusal = await refusalOf(call(services, description, request as never))
        const isOfNobody = description.name === 'UserGet' || description.name === 'DeleteRange'
        const expected = isOfNobody ? /^[39]: / : /^3: etcdserver: user name is empty$/
        // A transaction without operations touches no keys.
        if (description.name !== 'Txn') expect(refusal, `${typeName}/${description.name}`).to.match(expected)
      }
    }
  })
})
