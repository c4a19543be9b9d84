/** Decodes the Huffman code of HPACK (RFC 7541, 5.2 and appendix B), half a byte at a time. */
import { ProtocolError } from '../protocol-error.ts'

/** The symbols of each length in bits. The code is canonical: by length and symbol the codes follow one another. */
const SYMBOLS: Readonly<Record<number, string>> = {
  5: '30-32 61 63 65 69 6f 73-74',
  6: '20 25 2d-2f 33-39 3d 41 5f 62 64 66-68 6c-6e 70 72 75',
  7: '3a 42-57 59 6a-6b 71 76-7a',
  8: '26 2a 2c 3b 58 5a',
  10: '21-22 28-29 3f',
  11: '27 2b 7c',
  12: '23 3e',
  13: '00 24 40 5b 5d 7e',
  14: '5e 7d',
  15: '3c 60 7b',
  19: '5c c3 d0',
  20: '80 82-83 a2 b8 c2 e0 e2',
  21: '99 a1 a7 ac b0-b1 b3 d1 d8-d9 e3 e5-e6',
  22: '81 84-86 88 92 9a 9c a0 a3-a4 a9-aa ad b2 b5 b9-bb bd-be c4 c6 e4 e8-e9',
  23: '01 87 89-8d 8f 93 95-98 9b 9d-9e a5-a6 a8 ae-af b4 b6-b7 bc bf c5 e7 ef',
  24: '09 8e 90-91 94 9f ab ce d7 e1 ec-ed',
  25: 'c7 cf ea-eb',
  26: 'c0-c1 c8-ca cd d2 d5 da-db ee f0 f2-f3 ff',
  27: 'cb-cc d3-d4 d6 dd-df f1 f4-f8 fa-fe',
  28: '02-08 0b-0c 0e-15 17-1f 7f dc f9',
  30: '0a 0d 16',
}

/** A step that leads out of the code: the end-of-string symbol, which must not occur. */
const FAIL = 0xffff
const NO_SYMBOL = 0x100

/** Of the inner nodes of the code's tree, by node and next four bits. */
const NEXT: Uint16Array = new Uint16Array(256 * 16).fill(FAIL)
const SYMBOL: Uint16Array = new Uint16Array(256 * 16).fill(NO_SYMBOL)
/** Whether a string may end in a node: what has come of the last code is less than a byte, and all ones. */
const MAY_END: Uint8Array = new Uint8Array(256)

/** Two children a node: another inner node, a symbol as NO_SYMBOL + symbol, or FAIL. */
type Tree = [number, number][]
const LEAF = 0x1000

buildTables(buildTree())

/**
 * Decodes `bytes` from `start` to before `end` into `out`, which is long enough: no code is shorter than 5 bits.
 * Returns how many bytes were written.
 * @throws ProtocolError COMPRESSION_ERROR
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let node = 0
  let length = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0
    for (let shift = 4; shift >= 0; shift -= 4) {
      const step = (node << 4) | ((byte >> shift) & 0xf)
      const symbol = SYMBOL[step] ?? NO_SYMBOL
      if (symbol !== NO_SYMBOL) out[length++] = symbol
      node = NEXT[step] ?? FAIL
      if (node === FAIL) throw new ProtocolError('COMPRESSION_ERROR', 'the end-of-string symbol within a string')
    }
  }
  if (MAY_END[node] !== 1) throw new ProtocolError('COMPRESSION_ERROR', 'a string whose padding is not its end')
  return length
}

/** Bytes that `length` bytes of Huffman code may decode to. */
export function decodedBytesMax(length: number): number {
  return Math.floor((length * 8) / 5)
}

function buildTree(): Tree {
  const tree: Tree = [[FAIL, FAIL]]
  let code = 0
  let codeBits = 0
  for (const [bits, ranges] of Object.entries(SYMBOLS)) {
    code *= 2 ** (Number(bits) - codeBits)
    codeBits = Number(bits)
    for (const range of ranges.split(' ')) {
      const [first = '', last = first] = range.split('-')
      for (let symbol = Number.parseInt(first, 16); symbol <= Number.parseInt(last, 16); symbol++) {
        addCode(tree, code++, codeBits, symbol)
      }
    }
  }
  return tree
}

function addCode(tree: Tree, code: number, bits: number, symbol: number): void {
  let node = 0
  for (let bit = bits - 1; bit >= 0; bit--) {
    const side = (code >> bit) & 1
    const children = tree[node] as [number, number]
    if (bit === 0) children[side] = LEAF + symbol
    else {
      if (children[side] === FAIL) children[side] = tree.push([FAIL, FAIL]) - 1
      node = children[side] as number
    }
  }
}

function buildTables(tree: Tree): void {
  tree.forEach((_, node) => {
    for (let nibble = 0; nibble < 16; nibble++) walk(tree, node, nibble)
  })
  // The padding is the beginning of the end-of-string symbol, which is all ones; up to seven of them.
  let node = 0
  for (let ones = 0; ones < 8; ones++) {
    MAY_END[node] = 1
    node = tree[node]?.[1] ?? FAIL
  }
}

/** No code is shorter than four bits: four of them end one code at most. */
function walk(tree: Tree, from: number, nibble: number): void {
  const step = (from << 4) | nibble
  let node = from
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[node]?.[((nibble >> bit) & 1) as 0 | 1] ?? FAIL
    if (next === FAIL) return
    if (next >= LEAF) {
      SYMBOL[step] = next - LEAF
      node = 0
    } else node = next
  }
  NEXT[step] = node
}
