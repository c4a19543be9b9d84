import { expect } from 'chai'
import type { AppendOperation, Step } from './history.ts'
import { checkListAppend } from './list-append.ts'

/** `x1 y[1,2]`: appends 1 to x, reads y as 1 2. Times: from, to; by default all at once. */
interface Told {
  readonly does: string
  readonly at?: readonly [number, number]
  readonly outcome?: 'fail' | 'info'
  readonly process?: number
  readonly revision?: number
}

describe('the checker of list-append', () => {
  const cases: readonly (readonly [string, readonly Told[], readonly string[]])[] = [
    ['nothing in a history that is right', [{ does: 'x1' }, { does: 'x[1]' }, { does: 'x2' }, { does: 'x[1,2]' }], []],
    ['nothing in a write that nobody has read yet', [{ does: 'x1' }, { does: 'x[]' }], []],
    [
      'G0: two transactions write over each other',
      [{ does: 'x1 y1' }, { does: 'x2 y2' }, { does: 'x[1,2]' }, { does: 'y[2,1]' }],
      ['G0'],
    ],
    ['G1a: a read of what failed', [{ does: 'x1', outcome: 'fail' }, { does: 'x[1]' }], ['G1a']],
    [
      'G1a in a read that is no part of what remained',
      [{ does: 'x1', outcome: 'fail' }, { does: 'x[1]' }, { does: 'x2' }, { does: 'x3' }, { does: 'x[2,3]' }],
      ['G1a', 'incompatible-order'],
    ],
    [
      'G1b: a read in the middle of a transaction',
      [{ does: 'x1 x2' }, { does: 'x[1]' }, { does: 'x[1,2]' }],
      ['G-single', 'G1b'],
    ],
    ['G1c: two transactions see each other', [{ does: 'x1 y[1]' }, { does: 'y1 x[1]' }], ['G1c']],
    ['G-single: a read that skews', [{ does: 'x1 y1' }, { does: 'x[] y[1]' }, { does: 'x[1]' }], ['G-single']],
    ['G2: write skew', [{ does: 'x[] y1' }, { does: 'y[] x1' }, { does: 'x[1] y[1]' }], ['G2']],
    ['a lost update', [{ does: 'x[] x1' }, { does: 'x[] x2' }, { does: 'x[1,2]' }], ['lost-update', 'G-single']],
    ['a dirty update', [{ does: 'x1', outcome: 'fail' }, { does: 'x2' }, { does: 'x[1,2]' }], ['G1a', 'dirty-update']],
    [
      'orders that contradict',
      [{ does: 'x1' }, { does: 'x2' }, { does: 'x[1]' }, { does: 'x[2]' }],
      ['incompatible-order'],
    ],
    ['an element twice', [{ does: 'x1' }, { does: 'x[1,1]' }], ['duplicate-elements']],
    ['an element of nobody', [{ does: 'x[1]' }], ['phantom-element']],
    ['a transaction that does not see itself', [{ does: 'x1 x[]' }], ['internal']],
    ['a transaction that sees a list change', [{ does: 'y1' }, { does: 'y[] y[1]' }], ['internal']],
    ['a history that appends twice', [{ does: 'x1' }, { does: 'x1' }], ['appended-twice']],
    [
      'G-single-realtime: an append that was acknowledged and is not there',
      [
        { does: 'x1', at: [0, 1] },
        { does: 'x[]', at: [2, 3] },
      ],
      ['G-single-realtime'],
    ],
    [
      'G-single-process: a client that does not see its own append',
      [
        { does: 'x1', at: [0, 2], process: 1 },
        { does: 'x[]', at: [2, 4], process: 1 },
      ],
      ['G-single-process'],
    ],
    [
      'G1c-realtime: a read before the write was asked for',
      [
        { does: 'x[1]', at: [0, 1] },
        { does: 'x1', at: [2, 3] },
      ],
      ['G1c-realtime'],
    ],
    [
      'G0-realtime: appends against the clock',
      [
        { does: 'x1', at: [0, 1] },
        { does: 'x2', at: [2, 3] },
        { does: 'x[2,1]', at: [4, 5] },
      ],
      ['G0-realtime'],
    ],
    [
      'nothing if what was unknown shows up late',
      [
        { does: 'x1', at: [0, 1], outcome: 'info' },
        { does: 'x[]', at: [2, 3] },
        { does: 'x[1]', at: [4, 5] },
      ],
      [],
    ],
    [
      'revisions against the order',
      [
        { does: 'x1', revision: 5 },
        { does: 'x[1]', revision: 4 },
      ],
      ['revision-against-order'],
    ],
    [
      'a write with the revision of what it comes after',
      [
        { does: 'x1', revision: 5 },
        { does: 'x[1] x2', revision: 5 },
      ],
      ['revision-against-order'],
    ],
  ]
  for (const [what, told, expected] of cases) {
    it(`finds ${what}`, () => {
      const hasRevisions = told.some(({ revision }) => revision !== undefined)
      const kinds = checkListAppend(told.map(operationOf))
        .map(({ kind }) => kind)
        .filter((kind) => hasRevisions || kind !== 'revision-against-order')
      expect([...new Set(kinds)].sort()).to.deep.equal([...expected].sort())
    })
  }

  it('tells which transactions, and why one came before the other', () => {
    const [found] = checkListAppend([{ does: 'x[] y1' }, { does: 'y[] x1' }, { does: 'x[1] y[1]' }].map(operationOf))
    expect(found?.message)
      .to.match(/T1 before T2 \(rw\): it had not seen [xy] with 1/)
      .and.to.match(/process \d+ at n1/)
  })
})

function operationOf({ does, at, outcome, process, revision }: Told, index: number): AppendOperation {
  const reads: number[][] = []
  const steps = does.split(' ').map((text): Step => {
    const key = text.slice(0, 1)
    if (!text.includes('[')) return { f: 'append', key, element: Number(text.slice(1)) }
    reads.push(text.slice(2, -1).split(',').filter(Boolean).map(Number))
    return { f: 'read', key }
  })
  const [invoke, end] = at ?? [0, 100]
  const call = { kind: 'append', process: process ?? 100 + index, endpoint: 'n1', invoke, return: end, steps } as const
  if (outcome !== undefined) return { ...call, outcome }
  return { ...call, outcome: 'ok', answer: { revision: revision ?? 0, reads } }
}
