/**
 * A process that serves echoes over the HTTP/2 transport: `/volume.Echo/Unary` and `/volume.Echo/Stream`. It tells its
 * parent its port, and what it keeps in memory whenever it is asked.
 */
import { keptBytes } from '../suite/garbage.fixture.ts'
import { stream, unary } from '../transport.ts'
import { createHttp2Transport } from './http2-transport.ts'

export interface Kept {
  /** Heap and buffers, after a garbage collection. */
  readonly bytes: number
  readonly residentBytes: number
}

if (process.send !== undefined) await serve()

async function serve(): Promise<void> {
  const asIs = (bytes: Uint8Array): Uint8Array => bytes
  const methods = new Map([
    ['Unary', unary<Uint8Array, Uint8Array>({ decode: asIs, encode: asIs, handle: (request) => request })],
    [
      'Stream',
      stream<Uint8Array, Uint8Array>({
        decode: asIs,
        encode: asIs,
        open: (out) => ({
          message(request) {
            // It lies in what was received, which is used again.
            out.send(Buffer.from(request))
          },
          halfClosed: () => out.end(),
          drained: () => undefined,
          closed: () => undefined,
        }),
      }),
    ],
  ])
  const transport = createHttp2Transport({
    services: new Map([['volume.Echo', methods]]),
    maxRequestBytes: 2 ** 20,
    onDefect: (error) => {
      throw error
    },
  })
  const [address] = await transport.listen([{ host: '127.0.0.1', port: 0 }])
  process.on('message', () => {
    const kept: Kept = { bytes: keptBytes(), residentBytes: process.memoryUsage().rss }
    process.send?.(kept)
  })
  process.send?.(address?.port)
}
