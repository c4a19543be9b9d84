/** What the kinds of values about Kafka accept, refuse and write. */
import { expect } from 'chai'
import fc from 'fast-check'
import { InvalidValue } from './invalid-value.ts'
import {
  bootstrapServersKind,
  hostnameCheckKind,
  saslMechanismKind,
  securityProtocolKind,
  topicConfigKind,
  topicNameKind,
} from './kafka-values.ts'
import { booleanKind, type ValueKind } from './values.ts'

describe('bootstrap servers', () => {
  const good: [string, unknown[]][] = [
    ['', []],
    ['localhost:9092', [{ host: 'localhost', port: 9092 }]],
    [
      'a.b:1, 10.0.0.1:65535',
      [
        { host: 'a.b', port: 1 },
        { host: '10.0.0.1', port: 65535 },
      ],
    ],
    ['[::1]:9092', [{ host: '::1', port: 9092 }]],
    ['SASL_SSL://kafka-1:9093', [{ protocol: 'SASL_SSL', host: 'kafka-1', port: 9093 }]],
    ['plaintext://a:1', [{ protocol: 'PLAINTEXT', host: 'a', port: 1 }]],
  ]
  for (const [text, servers] of good) {
    it(`are read from "${text}" and written so that they are read back`, () => {
      const read = bootstrapServersKind.parse(text)
      expect(read).to.deep.equal(servers)
      expect(bootstrapServersKind.parse(bootstrapServersKind.format(read))).to.deep.equal(servers)
    })
  }

  const bad: [string, RegExp][] = [
    ['localhost', /localhost is not HOST:PORT/],
    ['a:0', /1 to 65535/],
    ['a:65536', /1 to 65535/],
    ['a:1,', /empty/],
    ['a:1,,b:2', /empty/],
    ['::1:9092', /not HOST:PORT/],
    ['http://a:1', /the protocol http is unknown/],
    ['a:1/x', /not HOST:PORT/],
    ['a b:1', /not HOST:PORT/],
  ]
  for (const [text, reason] of bad) {
    it(`are refused: "${text}"`, () => {
      expect(() => bootstrapServersKind.parse(text)).to.throw(InvalidValue, reason)
    })
  }
})

describe('settings of a topic', () => {
  it('are read from a list; a backslash protects a comma', () => {
    const read = topicConfigKind.parse('segment.bytes=1024, cleanup.policy=a\\,b,x=')
    expect([...read]).to.deep.equal([
      ['segment.bytes', '1024'],
      ['cleanup.policy', 'a,b'],
      ['x', ''],
    ])
    expect(topicConfigKind.parse('').size).to.equal(0)
  })

  for (const text of ['a', '=1', 'A B=1', 'a=1,a=2', 'a=1,b']) {
    it(`are refused: "${text}"`, () => {
      expect(() => topicConfigKind.parse(text)).to.throw(InvalidValue)
    })
  }

  it('are written so that they are read back', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9.]*$/)
    const value = fc.string().map((text) => text.trim())
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), (entries) => {
        const settings = new Map(entries)
        expect(topicConfigKind.parse(topicConfigKind.format(settings))).to.deep.equal(settings)
      }),
    )
  })
})

describe('other values about Kafka', () => {
  const good: [string, ValueKind<unknown>, string, unknown][] = [
    ['topic', topicNameKind, '_keta_log', '_keta_log'],
    ['topic', topicNameKind, 'a.b-C_9', 'a.b-C_9'],
    ['topic', topicNameKind, 'x'.repeat(249), 'x'.repeat(249)],
    ['protocol', securityProtocolKind, 'sasl_ssl', 'SASL_SSL'],
    ['mechanism', saslMechanismKind, 'SCRAM-SHA-512', 'SCRAM-SHA-512'],
    ['mechanism', saslMechanismKind, '', ''],
    ['host name check', hostnameCheckKind, 'HTTPS', true],
    ['host name check', hostnameCheckKind, '', false],
    ['host name check', hostnameCheckKind, 'false', false],
    ['boolean', booleanKind, 'true', true],
  ]
  for (const [what, kind, text, value] of good) {
    it(`${what} "${text.slice(0, 20)}" is read`, () => {
      expect(kind.parse(text)).to.equal(value)
    })
  }

  const bad: [string, ValueKind<unknown>, string][] = [
    ['topic', topicNameKind, ''],
    ['topic', topicNameKind, '.'],
    ['topic', topicNameKind, '..'],
    ['topic', topicNameKind, 'a/b'],
    ['topic', topicNameKind, 'ä'],
    ['topic', topicNameKind, 'x'.repeat(250)],
    ['topic', topicNameKind, '__consumer_offsets'],
    ['protocol', securityProtocolKind, 'TLS'],
    ['mechanism', saslMechanismKind, 'GSSAPI'],
    ['mechanism', saslMechanismKind, 'plain'],
    ['host name check', hostnameCheckKind, 'none'],
    ['boolean', booleanKind, 'yes'],
  ]
  for (const [what, kind, text] of bad) {
    it(`${what} "${text.slice(0, 20)}" is refused`, () => {
      expect(() => kind.parse(text)).to.throw(InvalidValue)
    })
  }
})
