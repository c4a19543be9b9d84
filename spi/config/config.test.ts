import { expect } from 'chai'
import fc from 'fast-check'
import { inspect } from 'node:util'
import { isCoordinationError } from '../errors.ts'
import { defineConfig } from './config-def.ts'
import { configTable } from './config-table.ts'
import { nearest } from './nearest.ts'
import { checkConfig, parseConfig, printableConfig } from './parse-config.ts'
import { Secret } from './secret.ts'

const def = defineConfig({
  'store.hosts': { type: 'list', doc: 'Hosts.', validate: (hosts) => (hosts.length > 0 ? undefined : 'must name one') },
  'store.port': {
    type: 'int',
    default: '2379',
    doc: 'Port.',
    validate: (port) => (port > 0 && port < 65_536 ? undefined : 'must be a port'),
  },
  'store.tls': { type: 'bool', default: 'false', doc: 'Use TLS | or not.' },
  'store.user': { type: 'string', default: null, doc: 'User.', aliases: ['store.username'] },
  'store.password': {
    type: 'password',
    default: 'changeit',
    doc: 'Password.',
    validate: (secret) => (secret.reveal().length > 3 ? undefined : `is too short: ${secret.reveal()}`),
  },
  'store.token': { type: 'int', default: null, doc: 'Token.', secret: true },
})

describe('parseConfig', () => {
  it('gives values of the types that the table says', () => {
    const raw = { 'store.hosts': ' a, b ,,c', 'store.port': ' 80 ', 'store.tls': 'TRUE', 'store.password': ' pass ' }
    const values = parseConfig(def, raw)
    const hosts: readonly string[] = values['store.hosts']
    const port: number = values['store.port']
    const user: string | undefined = values['store.user']
    expect({ hosts, port, user }).to.deep.equal({ hosts: ['a', 'b', 'c'], port: 80, user: undefined })
    expect(values['store.tls']).to.equal(true)
    expect(values['store.password'].reveal()).to.equal(' pass ')
  })

  it('fills in defaults, and takes older names', () => {
    const values = parseConfig(def, { 'store.hosts': 'a', 'store.username': 'me' })
    expect(values).to.include({ 'store.port': 2379, 'store.tls': false, 'store.user': 'me' })
    expect(values['store.token']).to.equal(undefined)
  })

  it('reports every problem at once, each with its place', () => {
    const raw = { 'store.port': 'x', 'store.tls': 'maybe', 'store.user': 'a', 'store.username': 'b' }
    const lines = Object.keys(raw)
    const options = { source: 'p.properties', lineOf: (name: string) => lines.indexOf(name) + 1 || undefined }
    try {
      parseConfig(def, raw, options)
      expect.fail('nothing was thrown')
    } catch (error) {
      if (!isCoordinationError(error, 'CONFIG')) throw error
      expect(error.problems).to.deep.equal([
        'p.properties: store.hosts is missing, and has no default',
        'p.properties:1: store.port must be a whole number, not "x"',
        'p.properties:2: store.tls must be true or false, not "maybe"',
        'p.properties:3: store.user means the same as store.username: give one of them',
      ])
      for (const problem of error.problems ?? []) expect(error.message).to.contain(problem)
    }
  })

  it('quotes what a validator refuses', () => {
    const { problems } = checkConfig(def, { 'store.hosts': ',', 'store.port': '0' })
    expect(problems).to.deep.equal(['store.hosts must name one, not ","', 'store.port must be a port, not "0"'])
  })

  it('gives what is valid even if something else is not', () => {
    const { values, valid } = checkConfig(def, { 'store.hosts': 'a', 'store.port': '0' })
    expect(values).to.equal(undefined)
    expect(valid['store.hosts']).to.deep.equal(['a'])
    expect(valid).not.to.have.property('store.port')
  })

  it('takes as whole numbers those that are exact, and nothing else', () => {
    const one = defineConfig({ n: { type: 'int', doc: '' } })
    for (const n of ['0', '-7', '+7', '9007199254740991']) expect(parseConfig(one, { n }).n).to.equal(Number(n))
    for (const n of ['', '1.0', '1e3', '0x10', '9007199254740993', '1 2']) {
      expect(checkConfig(one, { n }).problems, n).to.have.length(1)
    }
  })

  it('warns of unknown names with the one that was meant, unless they are foreign', () => {
    const raw = { 'store.hosts': 'a', 'store.prot': '1', 'zzz.qqq': '1', 'broker.id': '0' }
    const { warnings, values } = checkConfig(def, raw, { foreign: (name) => name.startsWith('broker.') })
    expect(warnings).to.deep.equal([
      'store.prot is unknown and ignored; did you mean store.port?',
      'zzz.qqq is unknown and ignored',
    ])
    expect(values).not.to.equal(undefined)
  })

  it('is not confused by the names of what every object has', () => {
    const raw = JSON.parse('{"__proto__":"x","constructor":"y","store.hosts":"a"}') as Record<string, string>
    expect(checkConfig(def, raw).warnings).to.have.length(2)
    expect(checkConfig(defineConfig({ toString: { type: 'string', doc: '' } }), {}).problems).to.have.length(1)
  })
})

describe('a secret', () => {
  it('is in no problem, whatever is wrong with it', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[Q-Z]{1,3}$/), (secret) => {
        const raw = { 'store.hosts': 'a', 'store.password': secret, 'store.token': secret, 'store.pasword': secret }
        const check = checkConfig(def, raw)
        expect(check.problems).to.have.length(2)
        expect(check.warnings).to.have.length(1)
        expect([...check.problems, ...check.warnings].join()).not.to.contain(secret)
        expect(Object.values(printableConfig(def, raw)).join()).not.to.contain(secret)
      }),
    )
  })

  it('does not show itself', () => {
    const secret = new Secret('hunter2')
    for (const shown of [String(secret), JSON.stringify({ secret }), inspect({ secret }, { showHidden: true })]) {
      expect(shown).not.to.contain('hunter2')
    }
    expect(secret.reveal()).to.equal('hunter2')
  })

  it('is hidden in what may be logged, with its default, and everything else is there', () => {
    expect(printableConfig(def, { 'store.hosts': 'a', 'store.username': 'me', typo: 'x' })).to.deep.equal({
      'store.hosts': 'a',
      'store.port': '2379',
      'store.tls': 'false',
      'store.user': 'me',
      'store.password': '[hidden]',
      typo: '[hidden]',
    })
  })
})

describe('the table in Markdown', () => {
  it('documents every property in order, without secrets', () => {
    expect(configTable(def)).to.equal(`| Property | Type | Default | Meaning |
| --- | --- | --- | --- |
| \`store.hosts\` | list | **required** | Hosts. |
| \`store.port\` | int | \`2379\` | Port. |
| \`store.tls\` | bool | \`false\` | Use TLS \\| or not. |
| \`store.user\` | string | none | User. Also: \`store.username\`. |
| \`store.password\` | password | [hidden] | Password. |
| \`store.token\` | int | none | Token. |
`)
  })
})

describe('the nearest name', () => {
  const known = ['endpoints', 'namespace', 'user']

  it('is the one with few errors', () => {
    expect(nearest('endpionts', known)).to.equal('endpoints')
    expect(nearest('EndPoint', known)).to.equal('endpoints')
    expect(nearest('usr', known)).to.equal('user')
  })

  it('is none if all are far off', () => {
    expect(nearest('zookeeper', known)).to.equal(undefined)
    expect(nearest('', known)).to.equal(undefined)
  })
})
