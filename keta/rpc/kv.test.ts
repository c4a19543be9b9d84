import { toBinary } from '@bufbuild/protobuf'
import { expect } from 'chai'

import { KV, type RangeRequest_SortOrder as SortOrder, ResponseHeaderSchema } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { RpcError } from '../transport/transport.ts'
import { call, IDENTITY, refusalOf, servedEngine, testServices, utf8 } from './test-client.fixture.ts'

const { range, put, deleteRange, txn, compact } = KV.method

describe('the KV service', () => {
  const served = servedEngine()
  const { services } = served

  const write = (key: string, value: string) => call(services, put, { key: utf8(key), value: utf8(value) })
  const read = (key: string) => call(services, range, { key: utf8(key) })

  it('gives the revision of the write, the identity and the term in the header', async () => {
    const { header } = await write('k', 'v')
    const { clusterId, memberId } = IDENTITY
    expect(header).to.include({ clusterId, memberId, revision: 2n, raftTerm: 1n })
    const { header: again, deleted } = await call(services, deleteRange, { key: utf8('absent') })
    expect([again?.revision, deleted]).to.deep.equal([2n, 0n])
  })

  it('gives back what was put, and the key-value before', async () => {
    await write('k', 'one')
    const answer = await call(services, put, { key: utf8('k'), value: utf8('two'), prevKv: true })
    expect(answer.prevKv).to.deep.include({ value: utf8('one'), version: 1n })
    const { kvs, count, more } = await read('k')
    expect({ count, more }).to.deep.equal({ count: 1n, more: false })
    expect(kvs[0]).to.deep.include({
      key: utf8('k'),
      value: utf8('two'),
      modRevision: 3n,
      createRevision: 2n,
      version: 2n,
    })
  })

  it('reads the past, and takes any revision up to 0 for now', async () => {
    await write('k', 'one')
    await write('k', 'two')
    const at = async (revision: bigint) => (await call(services, range, { key: utf8('k'), revision })).kvs[0]?.value
    expect(await at(2n)).to.deep.equal(utf8('one'))
    expect(await at(0n)).to.deep.equal(utf8('two'))
    expect(await at(-5n)).to.deep.equal(utf8('two'))
    await call(services, compact, { revision: 3n })
    expect(await refusalOf(at(2n))).to.equal('11: etcdserver: mvcc: required revision has been compacted')
    expect(await refusalOf(at(4n))).to.equal('11: etcdserver: mvcc: required revision is a future revision')
  })

  it('leaves the values out for keys_only', async () => {
    await write('k', 'v')
    const { kvs } = await call(services, range, { key: utf8('k'), keysOnly: true })
    expect(kvs[0]).to.deep.include({ key: utf8('k'), value: new Uint8Array(), modRevision: 2n })
  })

  it('gives sub-answers the revision alone, and nested transactions an empty header', async () => {
    await write('k', 'v')
    const answer = await call(services, txn, {
      success: [
        { request: { case: 'requestRange', value: { key: utf8('k') } } },
        { request: { case: 'requestPut', value: { key: utf8('k'), value: utf8('w') } } },
        {
          request: {
            case: 'requestTxn',
            value: { success: [{ request: { case: 'requestRange', value: { key: utf8('k') } } }] },
          },
        },
      ],
    })
    expect(answer.header?.revision).to.equal(3n)
    expect(answer.succeeded).to.equal(true)
    const headers = answer.responses.map(({ response }) => response.value?.header)
    const hex = headers.map((header) => header && Buffer.from(toBinary(ResponseHeaderSchema, header)).toString('hex'))
    expect(hex).to.deep.equal(['1802', '1803', ''])
  })

  it('answers transactions that only read without the log', async () => {
    await write('k', 'v')
    const before = served.engine.status().appendedIndex
    const success = [{ request: { case: 'requestRange', value: { key: utf8('k') } } }] as const
    const { responses } = await call(services, txn, { success: [...success] })
    expect(responses).to.have.length(1)
    await call(services, txn, {})
    expect(served.engine.status().appendedIndex).to.equal(before)
  })

  it('refuses with the texts of etcd', async () => {
    const key = utf8('k')
    const deletion = { request: { case: 'requestDeleteRange', value: { key } } } as const
    const insertion = { request: { case: 'requestPut', value: { key } } } as const
    const refusals: [() => Promise<unknown>, string][] = [
      [() => call(services, range, {}), '3: etcdserver: key is not provided'],
      [() => call(services, range, { key, sortOrder: 7 as SortOrder }), '3: etcdserver: invalid sort option'],
      [() => call(services, put, { key, value: key, ignoreValue: true }), '3: etcdserver: value is provided'],
      [() => call(services, put, { key, lease: 1n, ignoreLease: true }), '3: etcdserver: lease is provided'],
      [() => call(services, put, { key, ignoreValue: true }), '3: etcdserver: key not found'],
      [() => call(services, put, { key, lease: 1n }), '5: etcdserver: requested lease not found'],
      [() => call(services, put, { key, value: new Uint8Array(1_572_864) }), '3: etcdserver: request is too large'],
      [() => call(services, deleteRange, {}), '3: etcdserver: key is not provided'],
      [() => call(services, txn, { success: [{}] }), '3: etcdserver: key not found'],
      [
        () => call(services, txn, { success: [deletion, insertion] }),
        '3: etcdserver: duplicate key given in txn request',
      ],
      [
        () => call(services, txn, { compare: Array.from({ length: 129 }, () => ({ key })) }),
        '3: etcdserver: too many operations in txn request',
      ],
      [() => call(services, compact, { revision: 9n }), '11: etcdserver: mvcc: required revision is a future revision'],
    ]
    for (const [answer, text] of refusals) expect(await refusalOf(answer())).to.equal(text)
  })

  it('refuses transactions nested without end, while decoding', () => {
    let bytes: Uint8Array = new Uint8Array()
    for (let depth = 0; depth < 5000; depth++) bytes = nest(bytes)
    const method = services.get('etcdserverpb.KV')?.get('Txn')
    expect(() => method?.decode(bytes))
      .to.throw(RpcError, 'etcdserver: too many operations in txn request')
      .with.property('status', 3)
  })

  it('takes another number of operations from its options', async () => {
    const strict = testServices(served.engine, { maxTxnOps: 1 })
    const compare = [{ key: utf8('a') }, { key: utf8('b') }]
    expect(await refusalOf(call(strict, txn, { compare }))).to.equal(
      '3: etcdserver: too many operations in txn request',
    )
  })

  it('says that it was stopped', async () => {
    await served.engine.stop()
    expect(await refusalOf(write('k', 'v'))).to.equal('14: etcdserver: server stopped')
  })
})

/** A TxnRequest whose only success operation is the TxnRequest `bytes`. */
function nest(bytes: Uint8Array): Uint8Array {
  return field(0x12, field(0x22, bytes))
}

function field(tag: number, content: Uint8Array): Uint8Array {
  const length = [content.length & 0x7f]
  for (let rest = content.length >>> 7; rest > 0; rest >>>= 7) {
    length[length.length - 1]! |= 0x80
    length.push(rest & 0x7f)
  }
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}
