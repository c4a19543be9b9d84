import { expect } from 'chai'
import { BROKEN_STORES } from './broken-stores.fixture.ts'
import { checkHistory } from './check-history.ts'
import { historyFromText, historyToText } from './history.ts'
import { simulate } from './simulation.fixture.ts'
import { SimulatedStore } from './simulated-store.fixture.ts'

const ALL = ['register', 'list-append', 'set', 'watch', 'total-order', 'real-time'] as const
const SEEDS_OF_RIGHT = process.env['KETA_SCALE'] === 'full' ? 1000 : 25
/** In which every fault must be found. */
const SEEDS_OF_BROKEN = 6

describe('the history checkers', () => {
  it('find nothing wrong with a store that is right', function () {
    this.timeout(120_000)
    for (let number = 0; number < SEEDS_OF_RIGHT; number++) {
      const seed = `right ${number}`
      const history = simulate({ seed, operations: 600, store: (chance) => new SimulatedStore(chance) })
      expect(checkHistory(history, { require: ALL }), `seed ${seed}`).to.deep.equal([])
    }
  })

  it('find nothing wrong when a third of the outcomes is unknown', () => {
    for (let number = 0; number < 10; number++) {
      const seed = `lossy ${number}`
      const store = (chance: () => number): SimulatedStore => new SimulatedStore(chance)
      const history = simulate({ seed, operations: 600, store, lossy: 0.33 })
      expect(checkHistory(history, { require: ALL }), `seed ${seed}`).to.deep.equal([])
    }
  })

  for (const [fault, { store, foundBy }] of Object.entries(BROKEN_STORES)) {
    it(`find that ${fault}: ${foundBy.join(', ')}`, () => {
      const found = new Set<string>()
      for (let number = 0; number < SEEDS_OF_BROKEN; number++) {
        for (const { checker } of checkHistory(simulate({ seed: `broken ${number}`, operations: 600, store }))) {
          found.add(checker)
        }
      }
      expect([...found]).to.include.members([...foundBy])
    })
  }

  it('judge a hundred thousand operations in seconds', function () {
    this.timeout(60_000)
    const store = (chance: () => number): SimulatedStore => new SimulatedStore(chance)
    const history = simulate({ seed: 'large', operations: 56_000, store })
    expect(history.length).to.be.greaterThan(100_000)
    expect(checkHistory(history, { require: ALL })).to.deep.equal([])
  })

  it('judge the text of a history as the history', () => {
    const store = (chance: () => number): SimulatedStore => new SimulatedStore(chance)
    const history = simulate({ seed: 'text', operations: 600, store })
    const text = historyToText(history)
    expect(historyToText(historyFromText(text))).to.equal(text)
    expect(historyFromText(text)).to.deep.equal(history)
  })
})
