import { errors, types } from 'cassandra-driver'
import { expect } from 'chai'
import { faultOf } from './faults.ts'

const Code = types.responseErrorCodes
const answered = () => false

/** `CODE effect`. */
function shown(error: unknown, isSilent = answered): string {
  const { code, effect } = faultOf(error, isSilent)
  return `${code} ${effect}`
}

describe('what a failure says', () => {
  const response = (code: number) => new errors.ResponseError(code, 'no')

  it('is that nothing was done only where the server has refused', () => {
    const known = {
      unauthorized: 'AUTHORIZATION none',
      overloaded: 'OVERLOADED none',
      isBootstrapping: 'CONNECTION none',
      invalid: 'INTERNAL none',
      unavailableException: 'TIMEOUT unknown',
      writeTimeout: 'TIMEOUT unknown',
      readTimeout: 'TIMEOUT unknown',
      writeFailure: 'TIMEOUT unknown',
      serverError: 'TIMEOUT unknown',
    } as const
    for (const [name, expected] of Object.entries(known)) {
      expect(shown(response(Code[name as keyof typeof known])), name).to.equal(expected)
    }
  })

  it('is that nothing is known where a request was sent and has no answer', () => {
    expect(shown(new errors.OperationTimedOutError('late'))).to.equal('TIMEOUT unknown')
    expect(shown(Object.assign(new Error('Socket was closed'), { isSocketError: true }))).to.equal('CONNECTION unknown')
    expect(shown(new Error('a fault'))).to.equal('INTERNAL unknown')
  })

  it('is that nothing was sent where there was nobody to send it to', () => {
    const refused = new errors.NoHostAvailableError({ 'a:1': new Error('connect ECONNREFUSED') })
    expect(shown(refused)).to.equal('CONNECTION none')
    expect(faultOf(refused, answered).message).to.include('ECONNREFUSED')
    expect(shown(refused, () => true)).to.equal('TIMEOUT none')
    const silent = { 'a:1': new errors.OperationTimedOutError('late') }
    expect(shown(new errors.NoHostAvailableError(silent))).to.equal('TIMEOUT none')
    expect(shown(new errors.BusyConnectionError('a', 1, 1))).to.equal('OVERLOADED none')
  })

  it('is that we were refused, if one of the servers says so', () => {
    const wrong = new errors.AuthenticationError('Provided username and/or password are incorrect')
    expect(shown(new errors.NoHostAvailableError({ 'a:1': new Error('x'), 'b:1': wrong }))).to.equal(
      'AUTHENTICATION none',
    )
    expect(shown(new errors.NoHostAvailableError({ 'a:1': response(Code.unauthorized) }))).to.equal(
      'AUTHORIZATION none',
    )
  })
})
