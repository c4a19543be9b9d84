import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { parseConfig } from '../../spi/index.ts'
import { readPropertiesFile } from '../../spi/node/index.ts'
import { CONFIG, settingsOf } from './config.ts'

function settings(connect: string, others: Record<string, string> = {}) {
  return settingsOf(parseConfig(CONFIG, { 'plugin.zookeeper.connect': connect, ...others }))
}

describe('the configuration of ZooKeeper', () => {
  it('names servers and a path as Kafka does', () => {
    expect(settings('a:1, b,[::1]:3/kafka/one')).to.deep.include({
      endpoints: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2181 },
        { host: '::1', port: 3 },
      ],
      chroot: '/kafka/one',
    })
    expect(settings('a')).to.deep.include({ chroot: '', tls: undefined, digest: undefined, tickMs: undefined })
    expect(settings('a/')).to.deep.include({ chroot: '' })
  })

  it('has a sample that is right', () => {
    const { raw, problems } = readPropertiesFile(
      fileURLToPath(new URL('../../config/zookeeper-plugin.properties', import.meta.url)),
      'sample',
    )
    expect(problems).to.deep.equal([])
    expect(settingsOf(parseConfig(CONFIG, raw))).to.deep.include({ chroot: '/kafka', tls: undefined })
  })

  it('refuses what is neither', () => {
    for (const wrong of ['', ',', 'a:x', 'a b', '/a', 'a//b', 'a/b/', 'a:1:2', 'http://a:1']) {
      expect(() => settings(wrong), wrong).to.throw('plugin.zookeeper.connect')
    }
  })

  it('takes a user and a password, both', () => {
    const both = settings('a', { 'plugin.zookeeper.username': 'me', 'plugin.zookeeper.password': 'pass:word' })
    expect('digest' in both && both.digest?.reveal()).to.equal('me:pass:word')
    expect(JSON.stringify(both)).to.not.include('pass:word')
    expect(settings('a', { 'plugin.zookeeper.username': 'me' })).to.have.property('problems')
  })

  it('says everything that is wrong between properties', () => {
    const wrong = settings('a', {
      'plugin.zookeeper.password': 'geheim',
      'plugin.zookeeper.tls.cert.file': 'absent.pem',
    })
    if (!('problems' in wrong)) throw new Error('nothing was found')
    expect(wrong.problems.map((problem) => problem.replace(/:.*/, ''))).to.deep.equal([
      'plugin.zookeeper.username and plugin.zookeeper.password must be given together',
      'plugin.zookeeper.tls.cert.file cannot be read',
      'plugin.zookeeper.tls.cert.file and plugin.zookeeper.tls.key.file must be given together',
      'plugin.zookeeper.tls must be true for the other properties of TLS to mean anything',
    ])
    expect(JSON.stringify(wrong)).to.not.include('geheim')
  })
})
