import { expect } from 'chai'
import { Rotation } from './rotation.ts'

function turns(rotation: Rotation<string>, count: number): string {
  return Array.from({ length: count }, () => rotation.next() ?? '-').join('')
}

describe('Rotation', () => {
  it('gives every member a turn before any has a second one', () => {
    const rotation = new Rotation<string>()
    for (const member of 'abc') rotation.add(member)
    expect(turns(rotation, 7)).to.equal('abcabca')
  })

  it('goes on with the next member when one leaves, and reaches one that joins in the same round', () => {
    const rotation = new Rotation<string>()
    for (const member of 'abc') rotation.add(member)
    expect(turns(rotation, 1)).to.equal('a')
    rotation.delete('b')
    rotation.add('d')
    expect(turns(rotation, 5)).to.equal('cdacd')
  })

  it('has no turn to give when it is empty, and starts again when it is not', () => {
    const rotation = new Rotation<string>()
    expect(rotation.next()).to.equal(undefined)
    rotation.add('a')
    expect(turns(rotation, 2)).to.equal('aa')
    rotation.delete('a')
    expect(rotation.next()).to.equal(undefined)
    expect(rotation.size).to.equal(0)
  })
})
