import { expect } from 'chai'
import type { SetCall, SetOperation } from './history.ts'
import { checkSets } from './set.ts'

describe('the checker of sets', () => {
  const cases: readonly (readonly [string, readonly SetOperation[], readonly string[]])[] = [
    ['nothing if all is there', [at(0, add(1)), at(2, add(2)), at(4, read(1, 2))], []],
    ['nothing in an unknown addition, there or not', [at(0, add(1, 'info')), at(2, read()), at(4, read(1))], []],
    ['a lost element', [at(0, add(1)), at(2, read(1)), at(4, read())], ['lost-element']],
    ['an element that a read had not seen yet', [at(0, add(1)), at(2, read()), at(4, read(1))], ['stale-read']],
    ['a failed addition', [at(0, add(1, 'fail')), at(2, read(1))], ['failed-add-visible']],
    ['what nobody added', [at(0, add(1)), at(2, read(1, 7))], ['phantom-element']],
    ['what was added after the read', [at(0, read(1)), at(2, add(1)), at(4, read(1))], ['read-from-the-future']],
    ['an element twice', [at(0, add(1)), at(2, read(1, 1))], ['duplicate-element']],
    ['that nobody looked', [at(0, add(1))], ['never-read']],
  ]
  for (const [what, history, expected] of cases) {
    it(`finds ${what}`, () => {
      expect(checkSets(history).map(({ kind }) => kind)).to.deep.equal(expected)
    })
  }
})

function at(invoke: number, call: SetCall): SetOperation {
  return { kind: 'set', set: 's', process: 1, endpoint: 'n1', invoke, return: invoke + 1, ...call }
}

function add(element: number, outcome?: 'fail' | 'info'): SetCall {
  return outcome === undefined
    ? { f: 'add', element, outcome: 'ok', answer: { revision: 2 } }
    : { f: 'add', element, outcome }
}

function read(...elements: readonly number[]): SetCall {
  return { f: 'read', outcome: 'ok', answer: { revision: 9, elements } }
}
