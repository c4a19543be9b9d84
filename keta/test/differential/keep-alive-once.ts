/** One message on a LeaseKeepAlive stream of its own: what it answers, or how it ends the stream. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { LeaseKeepAliveRequestSchema, LeaseKeepAliveResponseSchema } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { difference } from './compare.ts'
import type { Pair } from './pair.ts'

const PATH = '/etcdserverpb.Lease/LeaseKeepAlive'

export async function keepAliveOnce(pair: Pair, ID: bigint): Promise<void> {
  pair.note(`LeaseKeepAlive ${ID} on a stream of its own`)
  const request = toBinary(LeaseKeepAliveRequestSchema, create(LeaseKeepAliveRequestSchema, { ID }))
  const answered = (side: 'left' | 'right'): Promise<Uint8Array | string> =>
    new Promise((resolve) => {
      const stream = pair.stream(side, PATH, {
        onMessage: (bytes) => {
          resolve(bytes)
          stream.close()
        },
        onEnd: resolve,
      })
      stream.send(request)
    })
  const [left, right] = await Promise.all([answered('left'), answered('right')])
  if (typeof left === 'string' || typeof right === 'string') {
    const [a, b] = [left, right].map((answer) => (typeof answer === 'string' ? answer : 'an answer'))
    if (a !== b) pair.expectNone(difference(pair.names, a ?? '', b ?? ''))
    return
  }
  const schema = LeaseKeepAliveResponseSchema
  pair.compare(schema, fromBinary(schema, left), fromBinary(schema, right))
}
