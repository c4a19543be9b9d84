import { expect } from 'chai'
import fc from 'fast-check'
import { type Term, termProblems } from './election-terms.ts'

const term = (process: string, token: bigint, from: number, to: number, service = 's'): Term => ({
  ...{ process, token, from, to, service },
})

describe('the check of recorded terms', () => {
  it('finds nothing wrong with terms that follow each other', () => {
    expect(termProblems([])).to.deep.equal([])
    expect(termProblems([term('A', 1n, 0, 10), term('B', 5n, 10.001, 20), term('A', 6n, 30, 31)])).to.deep.equal([])
  })

  it('finds a term that begins before the last one is over', () => {
    expect(termProblems([term('A', 1n, 0, 10), term('B', 2n, 9.5, 20)]))
      .to.have.length(1)
      .and.property('0')
      .match(/A.*B.*both held for 0\.500 ms/)
  })

  it('finds a short term within a long one, and the one after it too', () => {
    const problems = termProblems([term('A', 1n, 0, 100), term('B', 2n, 10, 20), term('C', 3n, 50, 60)])
    expect(problems).to.have.length(2)
    expect(problems[1]).to.match(/A.*C/)
  })

  it('finds tokens that stay or fall', () => {
    expect(termProblems([term('A', 2n, 0, 10), term('B', 2n, 20, 30)])[0]).to.match(/not greater/)
    expect(termProblems([term('A', 10n, 0, 10), term('B', 9n, 20, 30)])[0]).to.match(/not greater/)
  })

  it('does not compare services', () => {
    expect(termProblems([term('A', 7n, 0, 10, 's'), term('B', 1n, 5, 15, 't')])).to.deep.equal([])
  })

  it('finds any overlap in any order, and nothing else', () => {
    const lengths = fc.array(fc.record({ gap: fc.integer({ min: 1, max: 9 }), held: fc.integer({ min: 0, max: 9 }) }))
    fc.assert(
      fc.property(lengths, fc.nat(), fc.integer({ min: 1, max: 9 }), (spans, which, overlap) => {
        let now = 0
        const terms = spans.map(({ gap, held }, index) => {
          const from = now + gap
          now = from + held
          return term(`P${index % 3}`, BigInt(index), from, now)
        })
        expect(termProblems(terms.toReversed())).to.deep.equal([])
        if (terms.length < 2) return
        const late = terms[which % (terms.length - 1)]!
        const next = terms[(which % (terms.length - 1)) + 1]!
        const broken = terms.map((one) => (one === late ? { ...one, to: next.from + overlap } : one))
        expect(termProblems(broken)).not.to.deep.equal([])
      }),
    )
  })
})
