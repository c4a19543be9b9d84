/** Java's .properties format, corner by corner. */
import { expect } from 'chai'
import fc from 'fast-check'
import { PropertiesError, readProperties } from './properties.ts'

function pairs(text: string): [string, string][] {
  return readProperties(text).map(({ key, value }) => [key, value])
}

describe('the .properties reader', () => {
  const cases: [string, string, [string, string][]][] = [
    ['equals', 'a=b', [['a', 'b']]],
    ['colon', 'a:b', [['a', 'b']]],
    ['a blank as separator', 'a b c', [['a', 'b c']]],
    ['blanks round the separator', '  a \t=  b', [['a', 'b']]],
    ['only the first separator', 'a==b=c', [['a', '=b=c']]],
    ['a blank before a colon', 'a :b', [['a', 'b']]],
    [
      'no value',
      'a\nb=',
      [
        ['a', ''],
        ['b', ''],
      ],
    ],
    ['no key', '=a', [['', 'a']]],
    ['trailing blanks of a value, which Java keeps', 'a=b  ', [['a', 'b  ']]],
    ['comments and blank lines', '# x=1\n  ! y=2\n\n \t\na=b', [['a', 'b']]],
    ['a hash inside a value', 'a=b#c', [['a', 'b#c']]],
    [
      'every line end',
      'a=1\r\nb=2\rc=3\n',
      [
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ],
    ],
    [
      'a continued line',
      'a=1,\\\n   2,\\\n\t3\nb=4',
      [
        ['a', '1,2,3'],
        ['b', '4'],
      ],
    ],
    [
      'an even number of backslashes, which continues nothing',
      'a=x\\\\\nb=y',
      [
        ['a', 'x\\'],
        ['b', 'y'],
      ],
    ],
    ['a continued line at the end of the file', 'a=b\\', [['a', 'b']]],
    ['a comment sign on a continued line', 'a=b\\\n#c', [['a', 'b#c']]],
    ['a comment that ends with a backslash', '# c\\\na=b', [['a', 'b']]],
    ['escaped separators in a key', 'a\\=b\\:c\\ d=e', [['a=b:c d', 'e']]],
    ['escapes', 'a=\\t\\n\\r\\f\\q\\\\', [['a', '\t\n\r\fq\\']]],
    ['unicode escapes', 'a=\\u0041\\u00e9\\uD83D\\uDE00', [['a', 'Aé😀']]],
    ['an escaped u after a backslash', 'a=\\\\u0041', [['a', '\\u0041']]],
    ['raw UTF-8 and a byte order mark', '\uFEFFa=é', [['a', 'é']]],
    [
      'the same key twice',
      'a=1\na=2',
      [
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    ['nothing', '', []],
  ]
  for (const [what, text, expected] of cases) {
    it(`reads ${what}`, () => {
      expect(pairs(text)).to.deep.equal(expected)
    })
  }

  it('gives the line on which a property begins', () => {
    const lines = readProperties('\n# c\na=1\\\n2\nb=3').map(({ key, line }) => [key, line])
    expect(lines).to.deep.equal([
      ['a', 3],
      ['b', 5],
    ])
  })

  it('refuses a malformed unicode escape and names its line', () => {
    expect(() => readProperties('a=1\nb=\\u12g4'))
      .to.throw(PropertiesError, '\\u12g4')
      .with.property('line', 2)
    expect(() => readProperties('a=\\u12')).to.throw(PropertiesError)
  })

  it('reads back whatever was escaped the way Java writes it', () => {
    const escape = (text: string): string =>
      text.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string())), (entries) => {
        const text = entries.map(([key, value]) => `${escape(key)}=${escape(value)}`).join('\n')
        expect(pairs(text)).to.deep.equal(entries)
      }),
    )
  })
})
