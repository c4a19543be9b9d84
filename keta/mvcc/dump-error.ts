/** Why a dump cannot be loaded. */
export type DumpErrorCode =
  /** The bytes are not a dump, or were changed. */
  | 'MALFORMED_DUMP'
  /** Written by a later version of this format. */
  | 'UNKNOWN_DUMP_FORMAT'
  /** Chunks are missing, repeated or in the wrong order. */
  | 'INCOMPLETE_DUMP'

export class DumpError extends Error {
  override readonly name = 'DumpError'
  readonly code: DumpErrorCode
  constructor(code: DumpErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
