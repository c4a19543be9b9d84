/** Messages that their client has compressed; what is wrong with them, in grpc-go's words. */
import { gunzipSync } from 'node:zlib'
import { RpcError, STATUS } from '../transport.ts'

const GZIP_HEAD_BYTES = 10

/** Of a request's grpc-encoding: those that etcd takes. */
export function isKnownEncoding(encoding: string | undefined): boolean {
  return isIdentity(encoding) || encoding === 'gzip'
}

/**
 * @param flag the first byte of a message's head.
 * @throws RpcError if it says what it must not with this grpc-encoding.
 */
export function checkFlag(flag: number, encoding: string | undefined): void {
  if (flag > 1) throw new RpcError(STATUS.INTERNAL, `grpc: received unexpected payload format ${flag}`)
  if (flag === 1 && isIdentity(encoding)) {
    throw new RpcError(STATUS.INTERNAL, 'grpc: compressed flag set with identity or empty encoding')
  }
}

/** @throws RpcError if it is not packed with gzip, or has more than `maxBytes`. */
export function unpack(packed: Buffer, maxBytes: number): Buffer {
  try {
    return gunzipSync(packed, { maxOutputLength: maxBytes })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      const text = `grpc: received message after decompression larger than max ${maxBytes}`
      throw new RpcError(STATUS.RESOURCE_EXHAUSTED, text, { cause: error })
    }
    throw new RpcError(STATUS.INTERNAL, reasonOf(packed, error), { cause: error })
  }
}

function isIdentity(encoding: string | undefined): boolean {
  return encoding === undefined || encoding === '' || encoding === 'identity'
}

function reasonOf(packed: Buffer, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  if (packed.length === 0) return 'grpc: failed to decompress the message: EOF'
  if (packed.length < GZIP_HEAD_BYTES) return 'grpc: failed to decompress the message: unexpected EOF'
  if (text === 'incorrect header check') return 'grpc: failed to decompress the message: gzip: invalid header'
  return `grpc: failed to read decompressed data: ${GO_TEXTS[text] ?? text}`
}

/** Of zlib's texts, those that Go has others for. */
const GO_TEXTS: Readonly<Record<string, string>> = {
  'unexpected end of file': 'unexpected EOF',
  'incorrect data check': 'gzip: invalid checksum',
  'incorrect length check': 'gzip: invalid checksum',
}
