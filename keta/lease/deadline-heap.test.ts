/** The heap of deadlines, beside a sorted list. */
import { expect } from 'chai'
import fc from 'fast-check'
import { DeadlineHeap, type HeapEntry } from './deadline-heap.ts'

describe('DeadlineHeap', () => {
  it('gives the earliest entry first, whatever is pushed, popped, postponed and dropped', () => {
    const step = fc.record({
      what: fc.constantFrom('push', 'push', 'push', 'pop', 'postpone', 'retain'),
      at: fc.nat(50),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
        const heap = new DeadlineHeap()
        let list: HeapEntry[] = []
        steps.forEach(({ what, at }, order) => {
          const first = list[0]
          if (what === 'push') {
            const entry = { id: BigInt(order), at, order }
            heap.push(entry)
            list.push(entry)
          } else if (what === 'pop') {
            expect(heap.pop()).to.equal(list.shift())
          } else if (what === 'retain') {
            heap.retain((entry) => entry.at !== at)
            list = list.filter((entry) => entry.at !== at)
          } else if (first !== undefined) {
            first.at += at
            heap.topPostponed()
          }
          list.sort((a, b) => a.at - b.at || a.order - b.order)
          expect(heap.peek()).to.equal(list[0])
          expect(heap.size).to.equal(list.length)
        })
        while (list.length > 0) expect(heap.pop()).to.equal(list.shift())
        expect(heap.pop()).to.equal(undefined)
      }),
    )
  })
})
