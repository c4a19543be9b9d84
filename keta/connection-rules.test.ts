import { expect } from 'chai'
import { connectionRules } from './connection-rules.ts'

describe('the rules of connections', () => {
  const flags = {
    maxConcurrentStreams: 7,
    grpcKeepaliveMinTime: 1,
    grpcKeepaliveInterval: 2_000,
    grpcKeepaliveTimeout: 3,
  }

  it('are what the flags say, but that no client is asked every few milliseconds whether it lives', () => {
    const rules = { streams: 7, pingMinMs: 1, keepaliveMs: 2_000, keepaliveTimeoutMs: 3 }
    expect(connectionRules(flags)).to.deep.equal(rules)
    expect(connectionRules({ ...flags, grpcKeepaliveInterval: 5 })).to.deep.equal({ ...rules, keepaliveMs: 1_000 })
  })

  it('are those of grpc-go where a flag is 0, and of both times if one of them is', () => {
    expect(connectionRules({ ...flags, maxConcurrentStreams: 0, grpcKeepaliveMinTime: 0 })).to.include({
      streams: 2 ** 32 - 1,
      pingMinMs: 300_000,
    })
    const usual = { keepaliveMs: 7_200_000, keepaliveTimeoutMs: 20_000 }
    expect(connectionRules({ ...flags, grpcKeepaliveInterval: 0 })).to.include(usual)
    expect(connectionRules({ ...flags, grpcKeepaliveTimeout: 0 })).to.include(usual)
  })
})
