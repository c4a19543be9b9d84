import { expect } from 'chai'
import { SimpleTokens } from './simple-tokens.ts'

const TTL_MS = 300_000

describe('simple tokens', () => {
  let now: number
  let tokens: SimpleTokens

  beforeEach(() => {
    now = 0
    tokens = new SimpleTokens({ now: () => now }, TTL_MS)
    tokens.begin()
    tokens.applied({ op: 'authenticate', user: 'alice', tokenDigest: 'd1' }, 7)
    tokens.applied({ op: 'authenticate', user: 'bob', tokenDigest: 'd2' }, 8)
  })

  it('name the user to whom they were given', () => {
    expect(tokens.use('d1', 7)).to.equal('alice')
    expect(tokens.use('d2', 8)).to.equal('bob')
  })

  it('are both parts: the random one and the place of the record', () => {
    expect(tokens.use('d1', 8)).to.equal(undefined)
    expect(tokens.use('d3', 7)).to.equal(undefined)
  })

  it('live on from each use, and end when nobody uses them', () => {
    now = TTL_MS - 1
    expect(tokens.use('d1', 7)).to.equal('alice')
    now = 2 * TTL_MS - 2
    expect(tokens.use('d1', 7)).to.equal('alice')
    expect(tokens.use('d2', 8)).to.equal(undefined)
    now = 3 * TTL_MS
    expect(tokens.use('d1', 7)).to.equal(undefined)
  })

  it('end with the user, with the password, and all of them when auth is turned off', () => {
    tokens.applied({ op: 'userChangePassword', user: 'alice', passwordHash: 'h' }, 9)
    expect(tokens.use('d1', 7)).to.equal(undefined)
    expect(tokens.use('d2', 8)).to.equal('bob')
    tokens.applied({ op: 'userDelete', user: 'bob' }, 10)
    expect(tokens.use('d2', 8)).to.equal(undefined)
    tokens.applied({ op: 'authenticate', user: 'alice', tokenDigest: 'd4' }, 11)
    tokens.applied({ op: 'disable' }, 12)
    expect(tokens.use('d4', 11)).to.equal(undefined)
  })

  it('of records that an earlier life of the node may have applied do not count', () => {
    const restarted = new SimpleTokens({ now: () => now }, TTL_MS)
    restarted.applied({ op: 'authenticate', user: 'alice', tokenDigest: 'd1' }, 7)
    restarted.begin()
    expect(restarted.use('d1', 7)).to.equal(undefined)
  })

  it('are none for signed tokens, which have no digest', () => {
    tokens.applied({ op: 'authenticate', user: 'alice', tokenDigest: '' }, 9)
    expect(tokens.use('', 9)).to.equal(undefined)
  })

  it('that have ended give their memory back, though nobody comes with them', () => {
    now = TTL_MS
    tokens.applied({ op: 'authenticate', user: 'alice', tokenDigest: 'd5' }, 20)
    expect(tokens.size).to.equal(1)
  })
})
