import { expect } from 'chai'
import { isCoordinationError, silentLogger } from '../spi/index.ts'
import { findPlugin } from '../spi/node/index.ts'
import { EtcdPluginLocator } from './etcd/index.ts'

async function problemsOf(locator: string, config: Record<string, string>): Promise<readonly string[] | undefined> {
  const host = { config, logger: silentLogger }
  const error: unknown = await findPlugin({ 'plugin.locator.classname': locator }, host).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return isCoordinationError(error, 'CONFIG') ? error.problems : undefined
}

describe('what is wrong between properties', () => {
  it('is found together, and without connecting', async () => {
    expect(
      await problemsOf('keta', {
        'plugin.keta.endpoints': 'a:1',
        'plugin.keta.embedded': 'true',
        'plugin.keta.username': 'root',
        'plugin.keta.server.options': 'data-dir=/x,loud',
      }),
    ).to.deep.equal([
      'plugin.keta.username and plugin.keta.password must be given together',
      'plugin.keta.endpoints and plugin.keta.embedded exclude each other',
      'plugin.keta.data.dir must be given for an embedded server',
      'plugin.keta.server.options: data-dir has a property of its own',
      'plugin.keta.server.options: loud is not name=value',
    ])
  })

  it('is that keta has neither a server nor one of its own', async () => {
    expect(await problemsOf('keta', {})).to.deep.equal([
      'plugin.keta.endpoints must name a server, or plugin.keta.embedded be true',
    ])
    expect(await problemsOf('keta', { 'plugin.keta.endpoints': 'a:1' })).to.equal(undefined)
    expect(await problemsOf('keta', { 'plugin.keta.embedded': 'true', 'plugin.keta.data.dir': 'd' })).to.equal(
      undefined,
    )
  })

  it('is that TLS is half configured', async () => {
    const problems = await problemsOf('etcd', {
      'plugin.etcd.endpoints': 'https://a,http://b',
      'plugin.etcd.tls.cert.file': 'absent.pem',
    })
    expect(problems?.map((problem) => problem.replace(/:.*/, ''))).to.deep.equal([
      'plugin.etcd.tls.cert.file cannot be read',
      'plugin.etcd.tls.cert.file and plugin.etcd.tls.key.file must be given together',
      'plugin.etcd.endpoints must all use TLS, or none',
    ])
  })

  it('is that who we are is told to ZooKeeper by half', async () => {
    const problems = await problemsOf('zookeeper', {
      'plugin.zookeeper.connect': 'a:1/kafka',
      'plugin.zookeeper.username': 'broker',
      'plugin.zookeeper.tls.key.file': 'absent.pem',
    })
    expect(problems?.map((problem) => problem.replace(/:.*/, ''))).to.deep.equal([
      'plugin.zookeeper.username and plugin.zookeeper.password must be given together',
      'plugin.zookeeper.tls.key.file cannot be read',
      'plugin.zookeeper.tls.cert.file and plugin.zookeeper.tls.key.file must be given together',
      'plugin.zookeeper.tls must be true for the other properties of TLS to mean anything',
    ])
  })

  it('is that Cassandra’s properties do not fit together', async () => {
    const right = { 'plugin.cassandra.contact.points': 'a, b:9043' }
    expect(
      await problemsOf('cassandra', {
        ...right,
        'plugin.cassandra.username': 'broker',
        'plugin.cassandra.replication': '3,dc2:3',
        'plugin.cassandra.tls.key.file': 'absent.pem',
      }).then((problems) => problems?.map((problem) => problem.replace(/:.*/, ''))),
    ).to.deep.equal([
      'plugin.cassandra.username and plugin.cassandra.password must be given together',
      'plugin.cassandra.tls.key.file cannot be read',
      'plugin.cassandra.tls.cert.file and plugin.cassandra.tls.key.file must be given together',
      'plugin.cassandra.replication must name the data centers, if there are several',
    ])
    const wrong = {
      'plugin.cassandra.contact.points': 'a b',
      'plugin.cassandra.port': '0',
      'plugin.cassandra.keyspace': 'a"; DROP',
      'plugin.cassandra.consistency': 'ONE',
      'plugin.cassandra.replication': 'dc1',
      'plugin.cassandra.address.map': '10.0.0.1',
      'plugin.cassandra.poll.interval.ms': '1',
    }
    expect(await problemsOf('cassandra', wrong)).to.have.lengthOf(Object.keys(wrong).length)
  })

  it('is told at startup too, by who is started without the loader', async () => {
    const config = { 'plugin.etcd.endpoints': 'a:1', 'plugin.etcd.password': 'geheim' }
    const error: unknown = await new EtcdPluginLocator().startup('', { config }).catch((reason: unknown) => reason)
    expect(error).to.include({ code: 'CONFIG' })
    expect(String(error)).to.include('must be given together').and.not.include('geheim')
  })
})
