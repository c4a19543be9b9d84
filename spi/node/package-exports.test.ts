import { expect } from 'chai'
import { exportedFiles } from './package-exports.ts'

const main = (exports: unknown) => exportedFiles({ exports }, '.')

describe('the exports of a package', () => {
  it('are its main file in every form that says so', () => {
    const forms = [
      './a.js',
      { import: './a.js' },
      { '.': './a.js' },
      { '.': { default: './a.js' } },
      { '.': { types: './a.d.ts', require: './a.cjs', import: './a.js', default: './b.js' } },
      { node: { import: './a.js' }, default: './b.js' },
      { node: { require: './b.cjs' }, default: './a.js' },
      ['no-relative-path', './a.js'],
      [{ require: './b.cjs' }, { import: './a.js' }],
    ]
    for (const form of forms) expect(main(form), JSON.stringify(form)).to.deep.equal(['./a.js'])
  })

  it('are none if no condition of an ES module in Node matches', () => {
    for (const form of [{ require: './a.cjs' }, { '.': { browser: './a.js' } }, { './sub': './a.js' }, {}, [], 7]) {
      expect(main(form), JSON.stringify(form)).to.deep.equal([])
    }
  })

  it('take the first condition that matches, also if it says no', () => {
    expect(main({ default: './first.js', import: './second.js' })).to.deep.equal(['./first.js'])
    expect(main({ import: null, default: './second.js' })).to.deep.equal([])
  })

  it('are found by subpath, and by pattern with the longest prefix', () => {
    const exports = {
      '.': './a.js',
      './exact': './e.js',
      './*': './any/*.js',
      './deep/*': './deep/*/index.js',
      './deep/*.json': './json/*.json',
      './private/*': null,
    }
    const found = (subpath: string) => exportedFiles({ exports }, subpath)
    expect(found('./exact')).to.deep.equal(['./e.js'])
    expect(found('./x/y')).to.deep.equal(['./any/x/y.js'])
    expect(found('./deep/z')).to.deep.equal(['./deep/z/index.js'])
    expect(found('./deep/z.json')).to.deep.equal(['./json/z.json'])
    expect(found('./private/x')).to.deep.equal([])
  })

  it('never lead out of the package', () => {
    for (const target of ['../a.js', './../a.js', './x/../../a.js', '/a.js', 'a.js', './node_modules/b/c.js']) {
      expect(main(target), target).to.deep.equal([])
    }
    expect(exportedFiles({ exports: { './*': './lib/*' } }, './../../secret.js')).to.deep.equal([])
  })

  it('are any file and the main field for a package without them', () => {
    expect(exportedFiles({ main: 'lib/a' }, '.')).to.deep.equal([
      './lib/a',
      './lib/a.js',
      './lib/a/index.js',
      './index.js',
    ])
    expect(exportedFiles({}, '.')).to.deep.equal(['./index.js'])
    expect(exportedFiles({}, './lib/b.js')).to.deep.equal(['./lib/b.js'])
  })
})
