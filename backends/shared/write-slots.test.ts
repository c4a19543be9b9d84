import { expect } from 'chai'
import { WriteSlots } from './write-slots.ts'

describe('write slots', () => {
  it('give each commit under way a slot of its own', () => {
    const slots = new WriteSlots('s')
    expect(slots.acquire()).to.deep.equal({ session: 's', slot: 0, number: 1, after: 0 })
    expect(slots.acquire()).to.deep.equal({ session: 's', slot: 1, number: 1, after: 0 })
  })

  it('number the commits of a slot, and say which took place last', () => {
    const slots = new WriteSlots('s')
    const next = (committed: boolean) => {
      const id = slots.acquire()
      slots.release(id, { committed })
      return [id.number, id.after]
    }
    expect([next(false), next(true), next(false), next(false), next(true)]).to.deep.equal([
      [1, 0],
      [2, 0],
      [3, 2],
      [4, 2],
      [5, 2],
    ])
    expect(slots.acquire()).to.include({ slot: 0, number: 6, after: 5 })
  })

  it('do not use a slot again of which the outcome is not known', () => {
    const slots = new WriteSlots('s')
    slots.acquire()
    slots.release(slots.acquire(), { committed: true })
    expect(slots.acquire()).to.include({ slot: 1, number: 2, after: 1 })
  })
})
