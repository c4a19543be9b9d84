import { expect } from 'chai'
import type { RegisterCall, RegisterOperation } from './history.ts'
import { checkRegisters } from './register.ts'

describe('the checker of registers', () => {
  it('accepts overlapping writes in either order', () => {
    expectRight([at(0, 10, wrote('a', 3)), at(0, 10, wrote('b', 2)), at(11, 12, read('a', 3, 3))])
  })

  it('refuses a read of what had been overwritten', () => {
    expectWrong([at(0, 1, wrote('a', 2)), at(2, 3, wrote('b', 3)), at(4, 5, read('a', 2, 3))])
  })

  it('refuses a read at a revision before one that had been seen', () => {
    expectWrong([at(0, 1, read(null, 0, 5)), at(2, 3, read(null, 0, 4))])
  })

  it('refuses a value with the wrong mod_revision', () => {
    expectWrong([at(0, 1, wrote('a', 2)), at(2, 3, read('a', 3, 3))])
  })

  it('accepts that an unknown write takes effect late, or never', () => {
    const unknown = at(0, 1, { f: 'write', value: 'u', outcome: 'info' })
    expectRight([unknown, at(2, 3, wrote('a', 2)), at(4, 5, read('a', 2, 2)), at(6, 7, read('u', 3, 3))])
    expectRight([unknown, at(2, 3, wrote('a', 2)), at(4, 5, read('a', 2, 9))])
  })

  it('refuses that an unknown write takes effect twice', () => {
    const unknown = at(0, 1, { f: 'write', value: 'u', outcome: 'info' })
    expectWrong([unknown, at(2, 3, read('u', 2, 2)), at(4, 5, wrote('a', 3)), at(6, 7, read('u', 4, 4))])
  })

  it('refuses that a failed write is seen', () => {
    expectWrong([at(0, 1, { f: 'write', value: 'u', outcome: 'fail' }), at(2, 3, read('u', 2, 2))])
  })

  it('holds a compare-and-set to its condition, by value and by revision', () => {
    const wrote2 = at(0, 1, wrote('a', 2))
    expectRight([wrote2, at(2, 3, cas({ value: 'a' }, 'b', true, 3)), at(4, 5, cas({ modRevision: 3 }, 'c', true, 4))])
    expectWrong([wrote2, at(2, 3, cas({ value: 'x' }, 'b', true, 3))])
    expectWrong([wrote2, at(2, 3, cas({ modRevision: 1 }, 'b', true, 3))])
    expectWrong([wrote2, at(2, 3, cas({ value: 'a' }, 'b', false, 3))])
    expectWrong([wrote2, at(2, 3, cas({ modRevision: 2 }, 'b', false, 3))])
  })

  it('explains a refused compare-and-set by an unknown write that nobody read', () => {
    const unknown = at(2, 3, { f: 'write', value: 'u', outcome: 'info' })
    expectRight([at(0, 1, wrote('a', 2)), unknown, at(4, 5, cas({ value: 'a' }, 'b', false, 3))])
  })

  it('follows an unknown compare-and-set through another one', () => {
    const unknown = (expect: string, value: string) =>
      at(2, 3, { f: 'cas', expect: { value: expect }, value, outcome: 'info' })
    const history = [at(0, 1, wrote('a', 2)), unknown('a', 'b'), unknown('b', 'c')]
    expectRight([...history, at(4, 5, read('c', 4, 4))])
    expectWrong([at(0, 1, wrote('a', 2)), unknown('b', 'c'), at(4, 5, read('c', 4, 4))])
  })

  it('knows a deleted key, and that deleting nothing makes no revision', () => {
    expectRight([
      at(0, 1, wrote('a', 2)),
      at(2, 3, wrote(null, 3)),
      at(4, 5, wrote(null, 3)),
      at(6, 7, read(null, 0, 3)),
      at(8, 9, wrote('b', 4)),
    ])
    expectWrong([at(0, 1, wrote('a', 2)), at(2, 3, wrote(null, 2))])
  })

  it('tells what fits and what does not', () => {
    const [found] = checkRegisters([at(0, 1, wrote('a', 2)), at(2, 3, read('b', 2, 2))])
    expect(found).to.include({ checker: 'register', kind: 'not-linearizable' })
    expect(found?.message).to.include('read k → revision 2 {"value":"b","modRevision":2}')
  })
})

function at(invoke: number, end: number, call: RegisterCall): RegisterOperation {
  return { kind: 'register', key: 'k', process: invoke, endpoint: 'n1', invoke, return: end, ...call }
}

function wrote(value: string | null, revision: number): RegisterCall {
  return { f: 'write', value, outcome: 'ok', answer: { revision } }
}

function read(value: string | null, modRevision: number, revision: number): RegisterCall {
  return { f: 'read', outcome: 'ok', answer: { value, modRevision, revision } }
}

function cas(
  expectation: { readonly value: string } | { readonly modRevision: number },
  value: string,
  succeeded: boolean,
  revision: number,
): RegisterCall {
  return { f: 'cas', expect: expectation, value, outcome: 'ok', answer: { succeeded, revision } }
}

function expectRight(history: readonly RegisterOperation[]): void {
  expect(checkRegisters(history)).to.deep.equal([])
}

function expectWrong(history: readonly RegisterOperation[]): void {
  expect(checkRegisters(history).map(({ kind }) => kind)).to.deep.equal(['not-linearizable'])
}
