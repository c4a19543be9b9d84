import { create, type DescMessage, fromBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { expect } from 'chai'
import fc from 'fast-check'

import {
  LeaseGrantRequestSchema,
  MoveLeaderRequestSchema,
  PutRequestSchema,
  RangeRequestSchema,
  TxnRequestSchema,
  WatchRequestSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { messageFromJson } from './json-message.ts'
import { JsonMismatch } from './json-text.ts'
import { JsonSyntaxError, JsonTooLarge, JsonValues } from './json-values.ts'

/** All values of a body that arrives in these pieces. */
function valuesOf(...pieces: readonly (string | Buffer)[]): readonly string[] {
  const values = new JsonValues(1000)
  const found: string[] = []
  for (const piece of pieces) {
    values.push(Buffer.from(piece))
    for (let value = values.next(); value !== undefined; value = values.next()) found.push(value.toString())
  }
  const last = values.last()
  return last === undefined ? found : [...found, last.toString()]
}

function refusal(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof JsonSyntaxError || error instanceof JsonMismatch) return error.message
    throw error
  }
  return 'no refusal'
}

/** What etcd 3.6.16 said of each body. */
const NO_JSON: Readonly<Record<string, string>> = {
  x: "invalid character 'x' looking for beginning of value",
  nulx: "invalid character 'x' in literal null (expecting 'l')",
  '{"a":1,}': "invalid character '}' looking for beginning of object key string",
  '[1,]': "invalid character ']' looking for beginning of value",
  '{"a" 1}': "invalid character '1' after object key",
  '{"a":1 "b"}': "invalid character '\"' after object key:value pair",
  '[1 2]': "invalid character '2' after array element",
  '"\n"': "invalid character '\\n' in string literal",
  '"\\x"': "invalid character 'x' in string escape code",
  '"\\u00g0"': "invalid character 'g' in \\u hexadecimal character escape",
  '-x': "invalid character 'x' in numeric literal",
  '[1.x]': "invalid character 'x' after decimal point in numeric literal",
  '[1e+]': "invalid character ']' in exponent of numeric literal",
  '[01]': "invalid character '1' after array element",
  ü: "invalid character 'Ã' looking for beginning of value",
  '\0': "invalid character '\\x00' looking for beginning of value",
  "'": "invalid character '\\'' looking for beginning of value",
  '{"a":': 'unexpected EOF',
  '"a': 'unexpected EOF',
  '-': 'unexpected EOF',
  tru: 'unexpected EOF',
}

describe('JSON values of a request body', () => {
  it('are cut apart wherever the pieces of the body end', () => {
    const body = ' {"a":[1,{"b":"}\\""}]}\n[] "x"true 12 -0.5e+3 null{}7'
    const expected = ['{"a":[1,{"b":"}\\""}]}', '[]', '"x"', 'true', '12', '-0.5e+3', 'null', '{}', '7']
    expect(valuesOf(body)).to.deep.equal(expected)
    for (let at = 0; at <= body.length; at++) {
      expect(valuesOf(body.slice(0, at), body.slice(at))).to.deep.equal(expected)
    }
    expect(valuesOf(...Array.from(body))).to.deep.equal(expected)
    expect(valuesOf(' \n\t')).to.deep.equal([])
  })

  it('are those that JSON.parse takes, and no others', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.string({ maxLength: 3 }), (json, place, inserted) => {
        const at = place % (json.length + 1)
        const text = json.slice(0, at) + inserted + json.slice(at)
        let isJson = true
        try {
          JSON.parse(text)
        } catch {
          isJson = false
        }
        const found = refusal(() => valuesOf(text))
        if (isJson) expect(found).to.equal('no refusal')
        else if (found === 'no refusal') expect(valuesOf(text)).not.to.have.length(1)
      }),
      { numRuns: 2000 },
    )
  })

  for (const [body, text] of Object.entries(NO_JSON)) {
    it(`are refused as Go refuses ${JSON.stringify(body)}`, () => {
      expect(refusal(() => valuesOf(body))).to.equal(text)
    })
  }

  it('are refused when one is too large, before all of it is there', () => {
    const values = new JsonValues(10)
    values.push(Buffer.from('{"a":1}{"a":12}'))
    expect(values.next()?.toString()).to.equal('{"a":1}')
    expect(values.next()?.toString()).to.equal('{"a":12}')
    values.push(Buffer.from('"01234567890'))
    expect(() => values.next()).to.throw(JsonTooLarge)
  })
})

function decoded<M extends DescMessage>(schema: M, json: string) {
  return fromBinary(schema, messageFromJson(schema, Buffer.from(json)))
}

/** What etcd 3.6.16 said of each RangeRequest. */
const MISMATCHES: Readonly<Record<string, string>> = {
  '{"key":12}': 'proto: (line 1:8): invalid value for bytes field key: 12',
  '{"key":"a"}': 'proto: (line 1:8): invalid value for bytes field key: "a"',
  '{"key":"YQ="}': 'proto: (line 1:8): invalid value for bytes field key: "YQ="',
  '{"key":"+_=="}': 'proto: (line 1:8): invalid value for bytes field key: "+_=="',
  '[]': 'proto: syntax error (line 1:1): unexpected token [',
  '12': 'proto: syntax error (line 1:1): unexpected token 12',
  '{"key":"YQ==","key":"YQ=="}': 'proto: (line 1:15): duplicate field "key"',
  '{"limit":"1.5"}': 'proto: (line 1:10): invalid value for int64 field limit: "1.5"',
  '{"limit":" 1"}': 'proto: (line 1:10): invalid value for int64 field limit: " 1"',
  '{"limit":9223372036854775808}': 'proto: (line 1:10): invalid value for int64 field limit: 9223372036854775808',
  '{\n "ü": "ü", "keysOnly": 1}': 'proto: (line 2:24): invalid value for bool field keysOnly: 1',
  '{"sort_order":[]}': 'proto: (line 1:15): invalid value for enum field sortOrder: [',
  '{"key":"\\ud800"}': 'proto: unexpected EOF',
  '{"key":"\\ud800abcdefgh"}': 'proto: syntax error (line 1:8): invalid escape code "abcdef" in string',
}

describe('a message from JSON', () => {
  const same = <M extends DescMessage>(schema: M, json: string, expected: MessageInitShape<M>): void => {
    expect(decoded(schema, json)).to.deep.equal(create(schema, expected))
  }

  it('has its fields under both names, and what is unknown passed over', () => {
    const key = Buffer.from('a')
    const rangeEnd = Buffer.from('b')
    same(RangeRequestSchema, '{"key":"YQ==","range_end":"Yg==","more":[{"key":1},null,"x"]}', { key, rangeEnd })
    same(RangeRequestSchema, '{"rangeEnd":"Yg","key":"YQ","limit":null}', { key, rangeEnd })
  })

  it('takes bytes in every alphabet, padded or not', () => {
    const value = Buffer.from([0xff, 0xef, 0xbe])
    for (const text of ['/+++', '_---']) same(PutRequestSchema, `{"value":"${text}"}`, { value })
    for (const text of ['/+8=', '/+8', '_-8', '_-8=', '\\u002f\\n+\\n8']) {
      same(PutRequestSchema, `{"value":"${text}"}`, { value: Buffer.from([0xff, 0xef]) })
    }
  })

  it('takes numbers as numbers or strings, in any notation that gives an integer', () => {
    for (const text of ['100', '"100"', '1e2', '100.0', '"1.0e2"', '10000e-2', '"100 and more"']) {
      same(LeaseGrantRequestSchema, `{"TTL":${text}}`, { TTL: 100n })
    }
    same(LeaseGrantRequestSchema, '{"TTL":"-9223372036854775808"}', { TTL: -(2n ** 63n) })
    same(LeaseGrantRequestSchema, '{"TTL":0e9999999999}', { TTL: 0n })
    same(MoveLeaderRequestSchema, '{"targetID":"18446744073709551615"}', { targetID: 2n ** 64n - 1n })
    for (const text of ['1e21', '1e-1', '0.5', '"0x1"', '""', '1e99999999999', '100e-3']) {
      expect(
        refusal(() => decoded(LeaseGrantRequestSchema, `{"TTL":${text}}`)),
        text,
      ).to.match(/invalid value for int64/)
    }
  })

  it('takes enums by name or number; an unknown name is no value', () => {
    same(RangeRequestSchema, '{"sort_order":"DESCEND","sort_target":3}', { sortOrder: 2, sortTarget: 3 })
    same(RangeRequestSchema, '{"sort_order":"SIDEWAYS"}', {})
    same(WatchRequestSchema, '{"create_request":{"filters":["NODELETE","NONE",0]}}', {
      requestUnion: { case: 'createRequest', value: { filters: [1, 0] } },
    })
  })

  it('has at most one of a union', () => {
    expect(refusal(() => decoded(TxnRequestSchema, '{"compare":[{"version":"1","value":"aaaa"}]}'))).to.equal(
      'proto: (line 1:28): error parsing "value", oneof etcdserverpb.Compare.target_union is already set',
    )
    same(WatchRequestSchema, '{"create_request":null,"cancel_request":{}}', {
      requestUnion: { case: 'cancelRequest', value: {} },
    })
  })

  it('does not go down without end', () => {
    const json = '{"success":[{"request_txn":'.repeat(2000) + '{}' + '}]}'.repeat(2000)
    expect(refusal(() => decoded(TxnRequestSchema, json))).to.equal('proto: exceeded max recursion depth')
    const unknown = `{"x":${'['.repeat(9000)}${']'.repeat(9000)}}`
    same(TxnRequestSchema, unknown, {})
  })

  it('is refused if a string is not UTF-8', () => {
    const body = Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xff]), Buffer.from('"}')])
    expect(refusal(() => messageFromJson(RangeRequestSchema, body))).to.equal(
      'proto: syntax error (line 1:6): invalid UTF-8 in string',
    )
  })

  for (const [json, text] of Object.entries(MISMATCHES)) {
    it(`is refused as Go refuses ${JSON.stringify(json)}`, () => {
      expect(refusal(() => decoded(RangeRequestSchema, json))).to.equal(text)
    })
  }
})
