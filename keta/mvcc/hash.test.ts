/** Checksums that etcd 3.6.16 answered to HashKV after the same requests. */
import { expect } from 'chai'
import { keyFromText, rangeOf } from '../bytes/key.ts'
import { compactFully, write } from './store-suite.ts'
import { createStore } from './store.ts'

describe('hashKv', () => {
  it('equals the HashKV of etcd', () => {
    const store = createStore()
    expect(store.hashKv(1)).to.equal(1084519789)
    write(store, 'lamp=on')
    compactFully(store, 2)
    write(store, '-lamp')
    expect(store.hashKv(3), 'nothing alive').to.equal(3831810553)
    const txn = store.begin()
    txn.put(keyFromText('lamp'), Buffer.from('off'), 1234n)
    txn.commit()
    write(store, 'desk=oak', '-lamp', 'bed=')
    expect([3, 4, 5].map((revision) => store.hashKv(revision))).to.deep.equal([3831810553, 1862230124, 3619566662])
    write(store, 'desk=pine')
    write(store, `chair=${'x'.repeat(300)}`)
    store.compact(5)
    const compacted = [3533103172, 3872595614]
    expect(
      [6, 7].map((revision) => store.hashKv(revision)),
      'before the scrub',
    ).to.deep.equal(compacted)
    while (!store.scrub(1));
    expect(
      [6, 7].map((revision) => store.hashKv(revision)),
      'after the scrub',
    ).to.deep.equal(compacted)
  })

  it('sees every bit of the state', () => {
    const hashes = ['a=1', 'a=2', 'b=1'].map((change) => {
      const store = createStore()
      write(store, change)
      return store.hashKv(2)
    })
    const leased = createStore()
    const txn = leased.begin()
    txn.put(rangeOf(keyFromText('a'), keyFromText('')).start, Buffer.from('1'), 7n)
    txn.commit()
    expect(new Set([...hashes, leased.hashKv(2)]).size).to.equal(4)
  })
})
