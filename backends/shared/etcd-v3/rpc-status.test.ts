import { status as Code } from '@grpc/grpc-js'
import { expect } from 'chai'
import fc from 'fast-check'
import { coordinationError, meaningOf, RpcError, wantsNewToken } from './rpc-status.ts'

describe('what the end of a request means', () => {
  const said: readonly [Code, string, string, string][] = [
    [Code.INVALID_ARGUMENT, 'etcdserver: authentication failed, invalid user ID or password', 'AUTHENTICATION', 'none'],
    [Code.INVALID_ARGUMENT, 'etcdserver: user name is empty', 'AUTHENTICATION', 'none'],
    [Code.PERMISSION_DENIED, 'etcdserver: permission denied', 'AUTHORIZATION', 'none'],
    [Code.RESOURCE_EXHAUSTED, 'etcdserver: too many requests', 'OVERLOADED', 'none'],
    [Code.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded', 'OVERLOADED', 'unknown'],
    [Code.INVALID_ARGUMENT, 'etcdserver: request is too large', 'TOO_LARGE', 'none'],
    [Code.INVALID_ARGUMENT, 'etcdserver: too many operations in txn request', 'TOO_LARGE', 'none'],
    [Code.NOT_FOUND, 'etcdserver: requested lease not found', 'SESSION_LOST', 'none'],
    [Code.UNAVAILABLE, 'etcdserver: no leader', 'CONNECTION', 'none'],
    [Code.UNAVAILABLE, 'No connection established. Last error: connect ECONNREFUSED', 'CONNECTION', 'none'],
    [Code.UNAVAILABLE, 'Channel closed before call started', 'CONNECTION', 'none'],
    [Code.UNAVAILABLE, 'etcdserver: request timed out', 'CONNECTION', 'unknown'],
    [Code.UNAVAILABLE, 'etcdserver: leader changed', 'CONNECTION', 'unknown'],
    [Code.UNAVAILABLE, 'etcdserver: server stopped', 'CONNECTION', 'unknown'],
    [Code.UNAVAILABLE, 'read ECONNRESET', 'CONNECTION', 'unknown'],
    [Code.UNKNOWN, 'raft proposal dropped', 'CONNECTION', 'unknown'],
    [Code.DEADLINE_EXCEEDED, 'no answer within 5 ms', 'TIMEOUT', 'unknown'],
    [Code.UNIMPLEMENTED, 'unknown service', 'UNSUPPORTED', 'none'],
    [Code.INVALID_ARGUMENT, 'etcdserver: duplicate key given in txn request', 'INTERNAL', 'none'],
    [Code.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted', 'OVERLOADED', 'none'],
  ]
  for (const [code, details, means, effect] of said) {
    it(`of "${details}" is ${means} with effect ${effect}`, () => {
      expect(meaningOf({ code, details })).to.include({ code: means, effect })
    })
  }

  it('of what is not known is never that nothing was done', () => {
    const vague = fc.constantFrom(Code.UNKNOWN, Code.UNAVAILABLE, Code.INTERNAL, Code.ABORTED, Code.CANCELLED)
    fc.assert(
      fc.property(vague, fc.string(), (code, details) => {
        expect(meaningOf({ code, details: `? ${details}` }).effect).to.equal('unknown')
      }),
    )
  })

  it('of a request that was not sent is that nothing was done', () => {
    expect(meaningOf({ code: Code.UNAVAILABLE, details: '?', unsent: true })).to.deep.equal({
      code: 'CONNECTION',
      effect: 'none',
    })
  })

  it('names the server, and keeps what it said', () => {
    const cause = new RpcError({ code: Code.UNAVAILABLE, details: 'etcdserver: no leader' })
    const error = coordinationError(cause, { endpoint: 'host:1', backend: 'etcd' })
    expect(error.message).to.equal('etcd at host:1: etcdserver: no leader')
    expect(error.cause).to.equal(cause)
    expect(error.retriable).to.equal(true)
  })

  it('is a fault of ours if it is no end of a request', () => {
    const error = coordinationError(new TypeError('oops'), { endpoint: 'host:1', backend: 'etcd' })
    expect(error).to.include({ code: 'INTERNAL', effect: 'unknown' })
  })

  it('may be that a new token helps', () => {
    expect(wantsNewToken({ code: Code.UNAUTHENTICATED, details: 'etcdserver: invalid auth token' })).to.equal(true)
    expect(wantsNewToken({ code: Code.PERMISSION_DENIED, details: 'etcdserver: permission denied' })).to.equal(false)
  })
})
