import { expect } from 'chai'
import { Secret } from '../../../spi/index.ts'
import { badEndpoints, CLIENT_ITEMS, type ClientConfig, clientSettings } from './config.ts'

const NOTHING: ClientConfig = {
  endpoints: ['host:1'],
  username: undefined,
  password: undefined,
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
}

function problemsOf(config: Partial<ClientConfig>): readonly string[] {
  const settings = clientSettings({ ...NOTHING, ...config }, (item) => `x.${item}`)
  return 'problems' in settings ? settings.problems : []
}

describe('the configuration of a client', () => {
  it('takes servers with and without a port and a scheme', () => {
    const endpoints = ['a', 'b.c:1', 'https://d', 'https://[::1]:5']
    expect(badEndpoints(endpoints)).to.equal(undefined)
    const settings = clientSettings({ ...NOTHING, endpoints }, String)
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
      endpoints: ['http://a', 'https://b'],
      username: 'me',
      keyFile: '/nowhere/key.pem',
    })
    expect(problems.map((problem) => problem.replace(/:.*/, ''))).to.deep.equal([
      'x.keyFile cannot be read',
      'x.username and x.password must be given together',
      'x.certFile and x.keyFile must be given together',
      'x.endpoints must all use TLS, or none',
    ])
    expect(problemsOf({ username: 'me', password: new Secret('p') })).to.deep.equal([])
  })

  it('refuses files that are no certificates', () => {
    const itself = new URL(import.meta.url).pathname
    expect(problemsOf({ certFile: itself, keyFile: itself })).to.have.lengthOf(1)
  })
})
