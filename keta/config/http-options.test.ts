import { expect } from 'chai'

import { HTTP_OPTIONS } from './http-options.ts'
import { InvalidValue } from './invalid-value.ts'

describe('options of HTTP', () => {
  it('take lists of names', () => {
    const { kind } = HTTP_OPTIONS.cors
    expect(kind.parse('*')).to.deep.equal(['*'])
    expect(kind.parse(' http://a, http://b:1 ,')).to.deep.equal(['http://a', 'http://b:1'])
    expect(kind.format(kind.parse('a,b'))).to.equal('a,b')
  })

  it('take URLs for metrics, with TLS or without', () => {
    const { kind } = HTTP_OPTIONS.listenMetricsUrls
    expect(kind.parse('')).to.deep.equal([])
    expect(kind.format(kind.parse('http://a:1,https://[::1]:2'))).to.equal('http://a:1,https://[::1]:2')
    expect(() => kind.parse('a')).to.throw(InvalidValue)
  })
})
