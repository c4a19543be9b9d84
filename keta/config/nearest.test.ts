/** Edit distance, and the name that was meant. */
import { expect } from 'chai'
import { editDistance, nearest } from './nearest.ts'

describe('the nearest name', () => {
  const distances: [string, string, number][] = [
    ['', '', 0],
    ['', 'abc', 3],
    ['data-dir', 'datadir', 1],
    ['nmae', 'name', 1],
    ['kitten', 'sitting', 3],
  ]
  for (const [a, b, edits] of distances) {
    it(`counts ${edits} edits between "${a}" and "${b}"`, () => {
      expect([editDistance(a, b), editDistance(b, a)]).to.deep.equal([edits, edits])
    })
  }

  it('finds what was meant, and nothing for what is far from everything', () => {
    const names = ['name', 'data-dir', 'listen-client-urls', 'log-level']
    expect(nearest('data.dir', names)).to.equal('data-dir')
    expect(nearest('listen-client-url', names)).to.equal('listen-client-urls')
    expect(nearest('LogLevel', names)).to.equal('log-level')
    expect(nearest('xyzzy-plugh', names)).to.equal(undefined)
  })
})
