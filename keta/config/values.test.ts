/** What the kinds of option values accept, refuse and write. */
import { expect } from 'chai'
import fc from 'fast-check'
import { InvalidValue } from './invalid-value.ts'
import { allOptions } from './options.ts'
import {
  bytesKind,
  choiceKind,
  durationKind,
  integerKind,
  listenUrlsKind,
  optionalUrlsKind,
  retentionMs,
} from './values.ts'

const bytes = bytesKind(-1, 2 ** 43)
const duration = durationKind('s', 0, 86_400_000)

describe('option values', () => {
  const good: [string, { parse(text: string): unknown }, string, unknown][] = [
    ['bytes', bytes, '1572864', 1572864],
    ['bytes', bytes, '2GiB', 2 ** 31],
    ['bytes', bytes, '512 kib', 2 ** 19],
    ['bytes', bytes, '1.5MB', 1_500_000],
    ['bytes', bytes, '-1', -1],
    ['duration', duration, '10', 10_000],
    ['duration', duration, '500ms', 500],
    ['duration', duration, '1h30m', 5_400_000],
    ['duration', duration, '1.5s', 1500],
    ['duration', duration, '0', 0],
    ['integer', integerKind(1, 200), '128', 128],
    ['choice', choiceKind(['json', 'pretty'], { console: 'pretty' }), 'console', 'pretty'],
  ]
  for (const [kind, { parse }, text, value] of good) {
    it(`reads ${kind} "${text}"`, () => {
      expect(parse(text)).to.equal(value)
    })
  }

  const bad: [string, { parse(text: string): unknown }, string][] = [
    ['bytes', bytes, ''],
    ['bytes', bytes, '2 bananas'],
    ['bytes', bytes, '1e9'],
    ['bytes', bytes, '100TiB'],
    ['duration', duration, '10 m'],
    ['duration', duration, '-1s'],
    ['duration', duration, '2d'],
    ['duration', duration, 'm'],
    ['integer', integerKind(1, 200), '0'],
    ['integer', integerKind(1, 200), '12.5'],
    ['integer', integerKind(1, 200), '0x10'],
    ['choice', choiceKind(['json', 'pretty']), 'JSON'],
    ['choice', choiceKind(['json', 'pretty']), 'constructor'],
  ]
  for (const [kind, { parse }, text] of bad) {
    it(`refuses ${kind} "${text}"`, () => {
      expect(() => parse(text)).to.throw(InvalidValue)
    })
  }

  it('reads lists of listen URLs', () => {
    const urls = listenUrlsKind.parse('http://127.0.0.1:2379, HTTP://[::1]:80/,http://localhost:0')
    expect(urls.map(({ scheme, host, port, href }) => [scheme, host, port, href])).to.deep.equal([
      ['http', '127.0.0.1', 2379, 'http://127.0.0.1:2379'],
      ['http', '::1', 80, 'http://[::1]:80'],
      ['http', 'localhost', 0, 'http://localhost:0'],
    ])
  })

  const badUrls: [string, string][] = [
    ['', 'empty'],
    ['http://a:1,', 'empty'],
    ['localhost:2379', 'not a URL'],
    ['unix:///tmp/x', 'scheme'],
    ['http://:2379', 'host is missing'],
    ['http://localhost', 'port is missing'],
    ['http://localhost:', 'port is missing'],
    ['http://localhost:65536', 'greater than 65535'],
    ['http://localhost:2379/path', 'nothing may follow'],
    ['http://localhost:2379?x=1', 'nothing may follow'],
    ['http://user@localhost:2379', 'port is missing'],
    ['http://a:1,http://a:1/', 'twice'],
  ]
  for (const [text, reason] of badUrls) {
    it(`refuses the listen URL "${text}": ${reason}`, () => {
      expect(() => listenUrlsKind.parse(text)).to.throw(
        InvalidValue,
        new RegExp(reason === 'port is missing' ? 'missing|follow|not a URL' : reason),
      )
    })
  }

  it('reads lists of URLs that may be empty', () => {
    expect(optionalUrlsKind.parse('https://keta.example:443')[0]?.href).to.equal('https://keta.example:443')
    expect(optionalUrlsKind.parse('')).to.deep.equal([])
  })

  it('counts a bare retention in hours, as etcd does', () => {
    expect([retentionMs('2'), retentionMs('10m')]).to.deep.equal([7_200_000, 600_000])
  })

  it('writes sizes and durations so that they read back the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_400_000 }), fc.integer({ min: -1, max: 2 ** 43 }), (ms, size) => {
        expect(duration.parse(duration.format(ms))).to.equal(ms)
        expect(bytes.parse(bytes.format(size))).to.equal(size)
      }),
    )
  })

  it('accepts every default of the table', () => {
    for (const [, { kind, default: text, propertiesDefault }] of allOptions()) {
      kind.parse(text.replace(/\$\{[a-z-]+\}/, 'x'))
      if (propertiesDefault !== undefined) kind.parse(propertiesDefault)
    }
  })
})
