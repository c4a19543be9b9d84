import { expect } from 'chai'
import { isBrokerError } from '../errors.ts'
import * as metadata from './metadata.ts'
import { childName, isTopicName, parseStatePath, statePath } from './paths.ts'

describe('metadata', () => {
  it('are written with Kafka’s keys in Kafka’s order', () => {
    const state = { controllerEpoch: 1, leader: 0, leaderEpoch: 0, isr: [0, 1, 2] }
    expect(metadata.encodeState(state)).to.equal(
      '{"controller_epoch":1,"leader":0,"version":1,"leader_epoch":0,"isr":[0,1,2]}',
    )
    const topic = {
      id: 'x',
      partitions: new Map([
        [10, [1]],
        [0, [0, 1]],
      ]),
      adding: new Map([[0, [1]]]),
      removing: new Map(),
    }
    expect(metadata.encodeTopic(topic)).to.equal(
      '{"version":3,"partitions":{"0":[0,1],"10":[1]},"adding_replicas":{"0":[1]},"removing_replicas":{},"topic_id":"x"}',
    )
    expect(metadata.encodeTopicConfig({ a: 'b' })).to.equal('{"version":1,"config":{"a":"b"}}')
    expect(metadata.encodeReassignment([{ replicas: [1], topic: 't', partition: 0 }])).to.equal(
      '{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1]}]}',
    )
    expect(metadata.encodePreferredElection([{ partition: 0, topic: 't' }])).to.equal(
      '{"version":1,"partitions":[{"topic":"t","partition":0}]}',
    )
  })

  it('are read as they were written', () => {
    const state = { controllerEpoch: 7, leader: -1, leaderEpoch: 3, isr: [2] }
    expect(metadata.decodeState(metadata.encodeState(state))).to.deep.equal(state)
    const topic = { id: 'x', partitions: new Map([[0, [0, 1]]]), adding: new Map([[0, [1]]]), removing: new Map() }
    expect(metadata.decodeTopic(metadata.encodeTopic(topic))).to.deep.equal(topic)
    expect(metadata.decodeTopicConfig('{"version":1,"config":{"a":"b"}}')).to.deep.equal({ a: 'b' })
    const wish = [{ topic: 't', partition: 1, replicas: [1, 2] }]
    expect(metadata.decodeReassignment(metadata.encodeReassignment(wish))).to.deep.equal(wish)
    expect(metadata.decodePreferredElection('{"partitions":[{"topic":"t","partition":2}]}')).to.deep.equal([
      { topic: 't', partition: 2 },
    ])
  })

  it('that are none are refused', () => {
    const broken = [
      '',
      'null',
      '[]',
      '{}',
      '{"controller_epoch":1,"leader":-2,"leader_epoch":0,"isr":[]}',
      '{"controller_epoch":1,"leader":0,"leader_epoch":0.5,"isr":[]}',
      '{"controller_epoch":1,"leader":0,"leader_epoch":0,"isr":[1,1]}',
    ]
    for (const text of broken) {
      expect(() => metadata.decodeState(text), text).to.satisfy((decode: () => void) => {
        try {
          decode()
          return false
        } catch (error) {
          return isBrokerError(error, 'INVALID_METADATA')
        }
      })
    }
  })

  it('have paths that lead back', () => {
    expect(parseStatePath(statePath('a.b', 12))).to.deep.equal({ topic: 'a.b', partition: 12 })
    expect(parseStatePath('/brokers/topics/a')).to.equal(undefined)
    expect(parseStatePath('/brokers/topics/a/partitions/01/state')).to.equal(undefined)
    expect(childName('/admin', '/admin/x')).to.equal('x')
    expect(childName('/admin', '/admin/x/y')).to.equal(undefined)
    expect(childName('/admin', '/admin')).to.equal(undefined)
    expect(['a', 'A_1.b-c', '.', '..', '', 'a/b', 'ä'].map(isTopicName)).to.deep.equal([
      ...[true, true],
      ...[false, false, false, false, false],
    ])
  })
})
