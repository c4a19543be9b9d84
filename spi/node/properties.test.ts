import { expect } from 'chai'
import fc from 'fast-check'
import { parseProperties } from './properties.ts'

function read(text: string): Record<string, string> {
  return Object.fromEntries([...parseProperties(text).properties].map(([name, { value }]) => [name, value]))
}

describe('the reader of .properties', () => {
  it('takes =, : and blanks between name and value, once', () => {
    const text = 'a=1\nb:2\nc 3\nd = 4\ne\t:\f5\nf==6\ng = = 7\nh\ni='
    const expected = { a: '1', b: '2', c: '3', d: '4', e: '5', f: '=6', g: '= 7', h: '', i: '' }
    expect(read(text)).to.deep.equal(expected)
  })

  it('passes over blank lines and comments, which do not continue', () => {
    expect(read('\n  # a\\\nb=1\n\t! c\n   \n#d=2\n')).to.deep.equal({ b: '1' })
  })

  it('keeps blanks at the end of a value, and drops those before it', () => {
    expect(read('  a =  1 \t')).to.deep.equal({ a: '1 \t' })
  })

  it('joins lines at an odd number of backslashes, without the next one’s indent', () => {
    expect(read('a=1,\\\n   2,\\\r\n\t3\nb=x\\\\\nc=y\\\\\\\n  z')).to.deep.equal({ a: '1,2,3', b: 'x\\', c: 'y\\z' })
  })

  it('continues into what looks like a comment, and ends with the text', () => {
    expect(read('a=1\\\n# 2\nb=3\\')).to.deep.equal({ a: '1# 2', b: '3' })
    expect(read('\\\n\n\\\n  \na=1')).to.deep.equal({ a: '1' })
  })

  it('understands Java’s escapes, in names too', () => {
    const text = 'a\\=b\\:c\\ d=\\t\\n\\r\\f\\\\\\q\\u00e9\\uD83D\\uDE00\nplain=\\#\\!'
    expect(read(text)).to.deep.equal({ 'a=b:c d': '\t\n\r\f\\qé😀', plain: '#!' })
  })

  it('knows the line that each begins on, for all three ends of lines', () => {
    const { properties } = parseProperties('\uFEFFa=1\r\n# c\rb=\\\n  2\nc=3')
    expect([...properties].map(([name, { line }]) => [name, line])).to.deep.equal([
      ['a', 1],
      ['b', 3],
      ['c', 5],
    ])
  })

  it('reports every malformed escape, and what is well-formed behind an escaped backslash is none', () => {
    const { problems, properties } = parseProperties('a=\\u12\nb=\\\\u12\nc\\u=1\nd=\\u00E9\\uxyzw')
    expect(problems.map(({ line }) => line)).to.deep.equal([1, 3, 4])
    expect([...properties.keys()]).to.deep.equal(['b'])
    expect(properties.get('b')?.value).to.equal('\\u12')
  })

  it('takes the last of a repeated name, and says so', () => {
    const { properties, repeated } = parseProperties('a=1\nb=2\na=3')
    expect(properties.get('a')).to.deep.equal({ value: '3', line: 3 })
    expect(repeated).to.deep.equal([{ line: 3, message: 'a stands on line 1 too; this one counts' }])
  })

  it('reads back anything that was escaped', () => {
    const escape = (text: string) =>
      Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary', minLength: 1 }), (value, name) => {
        const { properties } = parseProperties(`${escape(name)}=${escape(value)}`)
        expect(properties.get(name)?.value).to.equal(value)
      }),
    )
  })

  it('gives an answer for any text', () => {
    const unit = fc.constantFrom('\\', 'u', '0', '=', ':', ' ', '\n', '\r', '#', 'a', '\f')
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        const { properties, problems } = parseProperties(text)
        expect(properties.size + problems.length).to.be.at.most(text.split(/[\r\n]/).length)
      }),
    )
  })
})
