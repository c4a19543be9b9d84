/** The payload of a claim record: what a node says when it takes over the log. */
import { MalformedMessage, ProtoReader } from '../bytes/proto-reader.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import { RecordError } from './record-error.ts'

/** Who takes over: what the other nodes and their clients must know of a leader. */
export interface Claimer {
  readonly memberId: bigint
  /** Where clients and the other nodes reach it. */
  readonly urls: readonly string[]
  /**
   * For how long after the sending of an acknowledged record it may answer reads without asking the log; 0 = never. Its
   * successor waits so long before it acknowledges a write.
   */
  readonly readLeaseMs: number
}

export interface Claim extends Claimer {
  /** The epoch that it wants to end. The claim is void if that is not the current one where it lands. */
  readonly prevEpoch: number
  /** Records from here on may use every meaning up to this level: a node that knows less must stop. */
  readonly featureLevel: number
}

export function encodeClaim(claim: Claim): Buffer {
  const writer = new ProtoWriter()
  writer.intField(1, claim.prevEpoch)
  for (const url of claim.urls) writer.messageField(2, Buffer.from(url, 'utf8'))
  writer.intField(3, claim.featureLevel)
  writer.bigField(4, BigInt.asIntN(64, claim.memberId))
  writer.intField(5, claim.readLeaseMs)
  return writer.finish()
}

/** @throws RecordError 'GARBLED_RECORD' */
export function decodeClaim(payload: Uint8Array): Claim {
  try {
    return readClaim(payload)
  } catch (error) {
    if (error instanceof MalformedMessage) throw new RecordError('GARBLED_RECORD', 'broken claim', { cause: error })
    throw error
  }
}

function readClaim(payload: Uint8Array): Claim {
  const reader = new ProtoReader(payload)
  const urls: string[] = []
  let prevEpoch = 0
  let featureLevel = 0
  let memberId = 0n
  let readLeaseMs = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) prevEpoch = reader.int()
    else if (field === 2) urls.push(reader.text())
    else if (field === 3) featureLevel = reader.int()
    else if (field === 4) memberId = BigInt.asUintN(64, reader.big())
    else if (field === 5) readLeaseMs = reader.int()
    else reader.skip()
  }
  return { prevEpoch, memberId, urls, readLeaseMs, featureLevel }
}
