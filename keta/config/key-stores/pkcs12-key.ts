/** Keys from passwords as PKCS12 derives them (RFC 7292, appendix B). */
import { createHash } from 'node:crypto'

/** What the derived bytes are for; each gives others. */
export const PURPOSE = { key: 1, iv: 2, mac: 3 } as const

export interface Derivation {
  readonly digest: string
  readonly password: string
  readonly salt: Buffer
  readonly iterations: number
  readonly purpose: (typeof PURPOSE)[keyof typeof PURPOSE]
  /** How many are wanted. */
  readonly bytes: number
}

export function derive({ digest, password, salt, iterations, purpose, bytes }: Derivation): Buffer {
  const blockBytes = digest === 'sha384' || digest === 'sha512' ? 128 : 64
  const diversifier = Buffer.alloc(blockBytes, purpose)
  const blocks = Buffer.concat([filled(salt, blockBytes), filled(passwordBytes(password), blockBytes)])
  const pieces: Buffer[] = []
  for (let have = 0; have < bytes; ) {
    let piece = hash(digest, Buffer.concat([diversifier, blocks]))
    for (let round = 1; round < iterations; round++) piece = hash(digest, piece)
    pieces.push(piece)
    have += piece.length
    const addend = repeated(piece, blockBytes)
    for (let at = 0; at < blocks.length; at += blockBytes) addAndOne(blocks.subarray(at, at + blockBytes), addend)
  }
  return Buffer.concat(pieces).subarray(0, bytes)
}

/** UTF-16, most significant byte first, with a zero at the end. */
function passwordBytes(password: string): Buffer {
  return Buffer.from(`${password}\0`, 'utf16le').swap16()
}

/** Repeated up to the next multiple of a block; nothing stays nothing. */
function filled(bytes: Buffer, blockBytes: number): Buffer {
  return repeated(bytes, Math.ceil(bytes.length / blockBytes) * blockBytes)
}

function repeated(bytes: Buffer, length: number): Buffer {
  return bytes.length === 0 ? Buffer.alloc(0) : Buffer.alloc(length, bytes)
}

/** Adds, and one more, as large numbers; what does not fit is dropped. */
function addAndOne(block: Buffer, addend: Buffer): void {
  let carry = 1
  for (let at = block.length - 1; at >= 0; at--) {
    const sum = (block[at] ?? 0) + (addend[at] ?? 0) + carry
    block[at] = sum & 0xff
    carry = sum >> 8
  }
}

function hash(digest: string, bytes: Buffer): Buffer {
  return createHash(digest).update(bytes).digest()
}
