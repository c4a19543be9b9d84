/** Why a log record cannot be understood. Both stop the node: no record is skipped because it is not understood. */
export type RecordErrorCode =
  /** The bytes are not a record: the log is damaged, or something else writes to it. */
  | 'GARBLED_RECORD'
  /** Written by a newer version of the software, with a meaning that this one does not know. */
  | 'UNSUPPORTED_RECORD'

export class RecordError extends Error {
  override readonly name = 'RecordError'
  readonly code: RecordErrorCode
  constructor(code: RecordErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
