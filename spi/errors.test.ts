import { expect } from 'chai'
import { inspect } from 'node:util'
import { makeEntry, versionOf } from './entry.ts'
import type * as errors from './errors.ts'
import { CoordinationError, ERROR_CODES, isCoordinationError } from './errors.ts'

const REFUSALS = new Set(ERROR_CODES.filter((code) => new CoordinationError(code, '').effect === 'none'))

describe('CoordinationError', () => {
  it('has name, code, backend, message and effect for every code', () => {
    for (const code of ERROR_CODES) {
      const error = new CoordinationError(code, 'what happened', { backend: 'etcd' })
      expect(error).to.be.instanceOf(Error)
      expect(error).to.include({ name: 'CoordinationError', code, backend: 'etcd', message: 'what happened' })
      expect(error.effect).to.be.oneOf(['none', 'unknown'])
    }
  })

  it('claims no effect by itself only where the store, or nobody, was asked', () => {
    const silent = ['SESSION_LOST', 'CONNECTION', 'TIMEOUT', 'CLOSED', 'CORRUPTED', 'INTERNAL'] as const
    for (const code of silent) expect(REFUSALS.has(code), code).to.equal(false)
    expect(REFUSALS.size).to.equal(ERROR_CODES.length - silent.length)
  })

  it('is retriable by itself only if nothing was done and time may help', () => {
    expect(new CoordinationError('TIMEOUT', '').retriable).to.equal(false)
    expect(new CoordinationError('TIMEOUT', '', { effect: 'none' }).retriable).to.equal(true)
    expect(new CoordinationError('OVERLOADED', '').retriable).to.equal(true)
    expect(new CoordinationError('KEY_EXISTS', '').retriable).to.equal(false)
    expect(new CoordinationError('CONNECTION', '', { effect: 'unknown', retriable: true }).retriable).to.equal(true)
  })

  it('carries what the store said, and shows nothing that it has not', () => {
    const current = makeEntry('/a', Uint8Array.of(1), versionOf('7'))
    const cause = new Error('no')
    const error = new CoordinationError('VERSION_MISMATCH', 'changed', { key: '/a', current, index: 2, cause })
    expect(error).to.include({ key: '/a', current, index: 2, cause })
    expect(inspect(new CoordinationError('CLOSED', 'x'))).not.to.contain('undefined')
    expect(new CoordinationError('CLOSED', 'x')).not.to.have.property('cause')
  })

  it('is recognised by code, and nothing else is', () => {
    const error: unknown = new CoordinationError('FENCED', '')
    expect(isCoordinationError(error)).to.equal(true)
    expect(isCoordinationError(error, 'FENCED')).to.equal(true)
    expect(isCoordinationError(error, 'CLOSED')).to.equal(false)
    const lookalike = { name: 'CoordinationError', code: 'FENCED' }
    for (const other of [undefined, null, 'FENCED', new Error('FENCED'), lookalike]) {
      expect(isCoordinationError(other)).to.equal(false)
    }
  })

  it('is recognised across two copies of the package', async () => {
    const copy = (await import(new URL('./errors.ts?copy', import.meta.url).href)) as typeof errors
    expect(copy.CoordinationError).not.to.equal(CoordinationError)
    const theirs = new copy.CoordinationError('FENCED', '')
    expect(theirs).not.to.be.instanceOf(CoordinationError)
    expect(isCoordinationError(theirs, 'FENCED')).to.equal(true)
    expect(copy.isCoordinationError(new CoordinationError('FENCED', ''), 'FENCED')).to.equal(true)
  })
})
