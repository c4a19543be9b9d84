/** The advice is that for the innermost failure that has one. */
import { expect } from 'chai'
import { DuplicateMemberError } from '../engine/leadership.ts'
import { KafkaError, type KafkaErrorCode } from '../kafka/client/client.ts'
import { LogDivergedError, StateDivergedError } from '../state/state-machine.ts'
import { adviceFor } from './explain.ts'

describe('the advice for a failure', () => {
  const codes: Record<KafkaErrorCode, RegExp> = {
    UNREACHABLE: /--kafka-bootstrap-servers/,
    NOT_AUTHENTICATED: /--kafka-sasl/,
    NOT_AUTHORISED: /kafka-acls/,
    UNSAFE_TOPIC: /commands of the message/,
    UNSETTLED: /later/,
    PROTOCOL: /--cluster-group-id/,
  }
  for (const [code, advice] of Object.entries(codes)) {
    it(`knows Kafka's ${code}`, () => {
      expect(adviceFor(new KafkaError(code as KafkaErrorCode, 'x'))).to.match(advice)
    })
  }

  const others: [Error, RegExp][] = [
    [new DuplicateMemberError('x'), /data directory of its own/],
    [new LogDivergedError('x'), /brokers have lost data/],
    [new StateDivergedError('x'), /copy of the data directory/],
  ]
  for (const [error, advice] of others) {
    it(`knows a ${error.name}`, () => {
      expect(adviceFor(error)).to.match(advice)
    })
  }

  it('prefers the cause to what wraps it, and a known wrapper to an unknown cause', () => {
    const cause = new KafkaError('UNSAFE_TOPIC', 'x')
    expect(adviceFor(new KafkaError('UNREACHABLE', 'y', { cause }))).to.match(/commands of the message/)
    const reset = Object.assign(new Error('x'), { code: 'ECONNRESET' })
    expect(adviceFor(new KafkaError('UNREACHABLE', 'y', { cause: reset }))).to.match(/--kafka-bootstrap-servers/)
  })

  it('has none for what it does not know', () => {
    expect(adviceFor(new Error('x'))).to.equal(undefined)
    expect(adviceFor('x')).to.equal(undefined)
    expect(adviceFor(Object.assign(new Error('x'), { code: 'constructor' }))).to.equal(undefined)
  })
})
