import { expect } from 'chai'
import { InvalidValue } from '../invalid-value.ts'
import { readRevokedSerials } from './revocation-list.ts'
import { CRL, EMPTY_CRL, PEM } from './stores.fixture.ts'

const der = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')

describe('lists of revoked certificates', () => {
  it('are read from PEM and from DER', () => {
    const serials = ['0B', '7AFB535E683285FEA93790124B86772B5C8C27E4']
    expect([...readRevokedSerials(Buffer.from(CRL))]).to.deep.equal(serials)
    expect([...readRevokedSerials(der(CRL))]).to.deep.equal(serials)
  })

  it('may be empty, and several in one file', () => {
    expect([...readRevokedSerials(der(EMPTY_CRL))]).to.deep.equal([])
    expect(readRevokedSerials(Buffer.from(EMPTY_CRL + CRL)).size).to.equal(2)
  })

  const wrong: readonly (readonly [string, Buffer])[] = [
    ['nothing', Buffer.alloc(0)],
    ['a certificate', Buffer.from(PEM.ca)],
    ['a certificate in DER', der(PEM.ca)],
    ['what was cut off', der(CRL).subarray(0, 100)],
    ['garbage', Buffer.from('revoked: all of them')],
  ]
  for (const [what, bytes] of wrong) {
    it(`are not ${what}`, () => {
      expect(() => readRevokedSerials(bytes)).to.throw(InvalidValue)
    })
  }
})
