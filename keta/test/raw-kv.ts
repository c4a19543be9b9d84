/** Put and Get over gRPC with hand-made messages: a client that shares no code with the server. */
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js'

/** @param url of a server, as it logs it. @throws the gRPC error. */
export async function put(url: string, key: string, value: string): Promise<void> {
  await call(url, 'Put', Buffer.concat([field(1, key), field(2, value)]))
}

/** Whether the answer to a Range for `key` contains `text`. */
export async function answerContains(url: string, key: string, text: string): Promise<boolean> {
  return (await call(url, 'Range', field(1, key))).includes(text)
}

/** A length-delimited protobuf field. */
function field(number: number, text: string): Buffer {
  const length: number[] = []
  let rest = Buffer.byteLength(text)
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length, rest]), Buffer.from(text)])
}

async function call(url: string, method: string, request: Buffer): Promise<Buffer> {
  const Client = makeGenericClientConstructor({}, 'raw')
  const client = new Client(url.replace('http://', ''), credentials.createInsecure())
  const asIs = (bytes: Buffer): Buffer => bytes
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(`/etcdserverpb.KV/${method}`, asIs, asIs, request, (error, answer) => {
        if (error !== null) reject(error)
        else resolve(answer ?? Buffer.alloc(0))
      })
    })
  } finally {
    client.close()
  }
}
