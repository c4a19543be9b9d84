/** What is wrong with what a client sends, in the protocol's own terms. */

/** Error codes of RFC 9113, section 7. */
export const ERROR_CODE = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  ENHANCE_YOUR_CALM: 0xb,
} as const

export type ErrorCodeName = keyof typeof ERROR_CODE

/** Ends one stream, or the connection with all that is on it. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: ErrorCodeName
  /** 0: the connection. */
  readonly streamId: number

  constructor(code: ErrorCodeName, message: string, streamId = 0) {
    super(message)
    this.code = code
    this.streamId = streamId
  }
}
