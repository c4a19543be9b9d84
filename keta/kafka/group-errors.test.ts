import { NetworkError, ResponseError } from '@platformatic/kafka'
import { expect } from 'chai'
import { KafkaError } from './client/client.ts'
import { isMisdirected, remedyFor, toFailure, toGroupError } from './group-errors.ts'

const NAMES = { groupId: 'the-cluster', sessionTimeoutMs: 1_234 }
const JOIN_GROUP = 11
const MEMBER_ID_REQUIRED = 79
const NOT_COORDINATOR = 16
const LOADING = 14
const INVALID_SESSION_TIMEOUT = 26
const INCONSISTENT_GROUP_PROTOCOL = 23
const GROUP_AUTHORIZATION_FAILED = 30

describe('errors of the group protocol', () => {
  it('carry the name that the coordinator gives', () => {
    const error = toGroupError(answered(MEMBER_ID_REQUIRED, { memberId: 'k1' }), 'joining', NAMES)
    expect(error).to.include({ answer: 'MEMBER_ID_REQUIRED', kafkaId: 'k1' })
    expect(remedyFor(error)).to.equal('identify')
  })

  it('say what to change, and where', () => {
    const messageOf = (code: number): string => toGroupError(answered(code), 'joining', NAMES).message
    expect(messageOf(INVALID_SESSION_TIMEOUT))
      .to.include('1234 ms')
      .and.include('group.min.session.timeout.ms')
      .and.include('group.max.session.timeout.ms')
    expect(messageOf(INCONSISTENT_GROUP_PROTOCOL)).to.include('cluster.group.id').and.include('the-cluster')
    expect(messageOf(GROUP_AUTHORIZATION_FAILED)).to.include('READ').and.include('the-cluster')
  })

  it('may pass when no broker answered, and the coordinator is asked for anew', () => {
    const lost = new NetworkError('Connection closed')
    expect(isMisdirected(lost)).to.equal(true)
    expect(remedyFor(toGroupError(lost, 'joining', NAMES))).to.equal('wait')
    expect(isMisdirected(answered(NOT_COORDINATOR))).to.equal(true)
    expect(isMisdirected(answered(LOADING))).to.equal(false)
  })

  it('are final when the client is not let in', () => {
    for (const code of ['NOT_AUTHENTICATED', 'NOT_AUTHORISED'] as const) {
      const error = toGroupError(new KafkaError(code, 'no'), 'joining', NAMES)
      expect(remedyFor(error)).to.equal('fail')
      expect(toFailure(error).code).to.equal(code)
    }
    const denied = toGroupError(answered(GROUP_AUTHORIZATION_FAILED), 'joining', NAMES)
    expect(toFailure(denied)).to.include({ code: 'NOT_AUTHORISED', message: denied.message })
  })
})

function answered(code: number, response: object = {}): ResponseError {
  return new ResponseError(JOIN_GROUP, 7, { '/': [code, null] }, response)
}
