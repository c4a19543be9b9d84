import { expect } from 'chai'
import fc from 'fast-check'
import { parseProperties } from '../../spi/node/index.ts'
import { propertiesText } from './properties-text.ts'
import { freshSeed, seeded } from './seeded.ts'

describe('seeded chance', () => {
  const draw = (seed: string, count: number) => {
    const random = seeded(seed)
    return Array.from({ length: count }, random)
  }

  it('is the same for the same seed, and another for another', () => {
    expect(draw('a/S1', 5)).to.deep.equal(draw('a/S1', 5)).and.not.deep.equal(draw('a/S2', 5))
    expect(new Set(Array.from({ length: 20 }, freshSeed)).size).to.equal(20)
  })

  it('is spread over [0, 1)', () => {
    const drawn = draw('spread', 10_000)
    expect(drawn.every((number) => number >= 0 && number < 1)).to.equal(true)
    for (let tenth = 0; tenth < 10; tenth++) {
      const share = drawn.filter((number) => Math.floor(number * 10) === tenth).length
      expect(share, `from ${tenth / 10}`).to.be.within(850, 1150)
    }
  })
})

describe('properties that are written for a client', () => {
  it('are read back as they were', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', ' ', '=', ':', '#', '!', '\\', '\n', '\r', '\t', '\f', 'u', 'é'),
    })
    const name = text.filter((chosen) => chosen !== '')
    fc.assert(
      fc.property(fc.dictionary(name, text), (properties) => {
        const read = parseProperties(propertiesText(properties))
        expect(read.problems).to.deep.equal([])
        expect(Object.fromEntries([...read.properties].map(([key, { value }]) => [key, value]))).to.deep.equal({
          ...properties,
        })
      }),
    )
  })
})
