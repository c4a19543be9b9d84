import { expect } from 'chai'
import { readFileSync, writeFileSync } from 'node:fs'
import { catalogue } from './cases/index.ts'
import { catalogueTable } from './catalogue-table.ts'

const README = new URL('README.md', import.meta.url)
const BEGIN = '<!-- catalogue: written by UPDATE_GENERATED=1 npx mocha conformance/readme.test.ts -->\n'
const END = '<!-- end of the catalogue -->'

describe('the catalogue in the README', () => {
  it('is the catalogue', () => {
    const text = readFileSync(README, 'utf8')
    const [before = '', rest = ''] = text.split(BEGIN)
    const [table = '', after = ''] = rest.split(END)
    const expected = catalogueTable(catalogue)
    if (process.env['UPDATE_GENERATED'] === '1') {
      writeFileSync(README, `${before}${BEGIN}${expected}${END}${after}`)
      return
    }
    expect(table).to.equal(expected)
  })

  it('says what a case needs', () => {
    const run = async () => undefined
    const table = catalogueTable([
      { id: 'T1', title: 'a|b', run },
      { id: 'T2', title: 'x', needs: ['processes', 'links', 'compact'], run },
      { id: 'T3', title: 'y', capability: 'transactions', run, otherwise: run },
      { id: 'T4', title: 'z', capability: 'persistent', run },
    ])
    expect(table.split('\n').slice(2, -1)).to.deep.equal([
      '| T1 | a\\|b |  |',
      '| T2 | x | several processes, a network, hook `compact` |',
      '| T3 | y | `transactions` (else: it must be refused) |',
      '| T4 | z | `persistent` |',
    ])
  })
})
