/** JAAS texts as Java's clients take them. */
import { expect } from 'chai'
import fc from 'fast-check'
import { InvalidValue } from './invalid-value.ts'
import { formatJaas, parseJaas } from './jaas.ts'

const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule'
const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule'

describe('a JAAS configuration', () => {
  const good: [string, string, string, string][] = [
    ['as in the documentation', `${PLAIN} required username="alice" password="alice-secret";`, 'alice', 'alice-secret'],
    ['over several lines', `${PLAIN} required\n  username="a"\n  password="b";\n`, 'a', 'b'],
    ['with single quotes', `${PLAIN} required username='a' password='b"c';`, 'a', 'b"c'],
    ['without quotes', `${PLAIN} REQUIRED username=a password=b-c_d;`, 'a', 'b-c_d'],
    ['with blanks round the marks', `${PLAIN} required username = "a" password = "b" ;`, 'a', 'b'],
    ['with escapes', `${PLAIN} required username="a\\"b" password="c\\\\d\\tE\\101\\q";`, 'a"b', 'c\\d\tEAq'],
    ['with marks in quotes', `${PLAIN} required username="a;b=c" password="//d/*";`, 'a;b=c', '//d/*'],
    ['with comments', `${PLAIN} /* a */ required // b\n username="a" password="b";`, 'a', 'b'],
    ['with options of brokers', `${PLAIN} required username="a" password="b" user_c="d";`, 'a', 'b'],
    ['with other letters', `${PLAIN} required username="ä" password="€";`, 'ä', '€'],
  ]
  for (const [what, text, username, password] of good) {
    it(`is read ${what}`, () => {
      expect(parseJaas(text)).to.deep.equal({ module: 'PlainLoginModule', username, password })
    })
  }

  it('says which of the two modules it is for', () => {
    expect(parseJaas(`${SCRAM} required username="a" password="b";`).module).to.equal('ScramLoginModule')
  })

  const bad: [string, string, RegExp][] = [
    ['another module', 'com.sun.security.auth.module.Krb5LoginModule required;', /Krb5LoginModule is not/],
    ['no module', '"s3cret"; x', /what it begins with/],
    ['no flag', `${PLAIN} username="u" password="s3cret";`, /"required" is missing/],
    ['no semicolon', `${PLAIN} required username="u" password="s3cret"`, /semicolon/],
    ['no password', `${PLAIN} required username="s3cret";`, /option password is missing/],
    ['no user', `${PLAIN} required password="s3cret";`, /option username is missing/],
    ['an open quote', `${PLAIN} required username="u" password="s3cret;`, /quote is not closed/],
    ['an option without value', `${PLAIN} required username="u" password=;s3cret`, /name="value"/],
    ['a bare value with special characters', `${PLAIN} required username=u password=s3cret!;`, /in quotes/],
    ['two modules', `${PLAIN} required username="u" password="s3cret"; ${PLAIN} required;`, /only one/],
    ['a token', `${SCRAM} required username="u" password="s3cret" tokenauth="true";`, /delegation tokens/],
  ]
  for (const [what, text, reason] of bad) {
    it(`is refused with ${what}, and the secret is not told`, () => {
      expect(() => parseJaas(text)).to.throw(InvalidValue, reason)
      expect(() => parseJaas(text)).not.to.throw(/s3cret/)
    })
  }

  it('is written so that it is read back, whatever user and password are', () => {
    const module = fc.constantFrom('PlainLoginModule' as const, 'ScramLoginModule' as const)
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(fc.record({ module, username: text, password: text }), (login) => {
        expect(parseJaas(formatJaas(login))).to.deep.equal(login)
      }),
    )
  })
})
