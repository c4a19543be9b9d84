import { expect } from 'chai'
import { authTokenKind } from './auth-token.ts'
import { InvalidValue } from './invalid-value.ts'

describe('the option auth-token', () => {
  it('takes simple, and jwt as etcd writes it', () => {
    expect(authTokenKind.parse('simple')).to.deep.equal({ type: 'simple' })
    const text = 'jwt,pub-key=/k/pub.pem,priv-key=/k/priv.pem,sign-method=RS256,ttl=10m'
    expect(authTokenKind.parse(text)).to.deep.equal({
      type: 'jwt',
      signMethod: 'RS256',
      publicKey: '/k/pub.pem',
      privateKey: '/k/priv.pem',
      ttlMs: 600_000,
    })
    expect(authTokenKind.format(authTokenKind.parse(text))).to.equal(text)
    const short = authTokenKind.parse('jwt,sign-method=ES512,pub-key=p')
    expect(short).to.include({ privateKey: '', ttlMs: 300_000 })
    expect(authTokenKind.parse(authTokenKind.format(short))).to.deep.equal(short)
  })

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /^$/],
    ['simple,ttl=5m', /^$/],
    ['oauth', /^$/],
    ['jwt', /sign-method/],
    ['jwt,priv-key=k,sign-method=none', /sign-method must be one of HS256/],
    ['jwt,sign-method=RS256', /pub-key or priv-key is missing/],
    ['jwt,sign-method=RS256,priv-key=k,ttl=soon', /^ttl: expected a duration/],
    ['jwt,sign-method=RS256,priv-key', /priv-key: not of the form/],
    ['jwt,sign-method=RS256,priv-key=a,priv-key=b', /twice/],
    ['jwt,sign-method=RS256,priv-key=k,sing=1', /unknown setting sing/],
  ]
  for (const [text, reason] of wrong) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => authTokenKind.parse(text))
        .to.throw(InvalidValue)
        .with.property('message')
        .that.matches(reason)
    })
  }
})
