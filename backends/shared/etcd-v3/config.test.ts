import { expect } from 'chai'
import { defineConfig, parseConfig } from '../../../spi/index.ts'
import { propertyOf, tlsFileItems, tlsFileProperties } from '../credentials-config.ts'
import { badEndpoints, CLIENT_ITEMS, clientSettings } from './config.ts'

const CONFIG = defineConfig({
  'x.endpoints': CLIENT_ITEMS.endpoints,
  'x.username': CLIENT_ITEMS.username,
  'x.password': CLIENT_ITEMS.password,
  ...tlsFileItems('x'),
})

function settingsOf(properties: Readonly<Record<string, string>>): ReturnType<typeof clientSettings> {
  const config = parseConfig(CONFIG, { 'x.endpoints': 'host:1', ...properties })
  const property = propertyOf(config)
  return clientSettings({
    endpoints: property('x.endpoints'),
    username: property('x.username'),
    password: property('x.password'),
    tlsFiles: tlsFileProperties('x', config),
  })
}

function problemsOf(properties: Readonly<Record<string, string>>): readonly string[] {
  const settings = settingsOf(properties)
  return 'problems' in settings ? settings.problems : []
}

describe('the configuration of a client', () => {
  it('takes servers with and without a port and a scheme', () => {
    const endpoints = ['a', 'b.c:1', 'https://d', 'https://[::1]:5']
    expect(badEndpoints(endpoints)).to.equal(undefined)
    const settings = settingsOf({ 'x.endpoints': endpoints.join() })
    expect(settings).to.have.deep.property('endpoints', ['a:2379', 'b.c:1', 'd:2379', '[::1]:5'])
  })

  it('refuses what is no server, and none at all', () => {
    for (const endpoint of ['host:port', 'ftp://host', 'host/path', '::1', 'a b']) {
      expect(badEndpoints([endpoint]), endpoint).to.equal('must be a list of host:port')
    }
    expect(badEndpoints([])).to.equal('must name a server')
  })

  it('refuses prefixes that would run into the cluster id', () => {
    const { validate } = CLIENT_ITEMS.prefix
    for (const prefix of ['', '/a', '/a/b']) expect(validate(prefix), prefix).to.equal(undefined)
    for (const prefix of ['/', 'a', '/a/', '//a', '/a//b']) expect(validate(prefix), prefix).to.be.a('string')
  })

  it('names everything that is wrong at once', () => {
    const problems = problemsOf({
      'x.endpoints': 'http://a, https://b',
      'x.username': 'me',
      'x.tls.key.file': '/nowhere/key.pem',
    })
    expect(problems.map((problem) => problem.replace(/:.*/, ''))).to.deep.equal([
      'x.username and x.password must be given together',
      'x.tls.key.file cannot be read',
      'x.tls.cert.file and x.tls.key.file must be given together',
      'x.endpoints must all use TLS, or none',
    ])
    expect(problemsOf({ 'x.username': 'me', 'x.password': 'p' })).to.deep.equal([])
  })

  it('refuses files that are no certificates', () => {
    const itself = new URL(import.meta.url).pathname
    expect(problemsOf({ 'x.tls.cert.file': itself, 'x.tls.key.file': itself })).to.have.lengthOf(1)
  })
})
