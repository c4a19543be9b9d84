/** Makes the values of values.ts: entries, versions, tokens. */
import { toText } from './data.ts'
import { CoordinationError } from './errors.ts'
import type { Entry, FencingToken, Version } from './values.ts'

/** For backends: an entry of bytes that came from the store; they are copied. */
export function makeEntry(key: string, bytes: Uint8Array, version: Version): Entry {
  return new StoredEntry(key, bytes, version)
}

/** For backends: names a version as such. The text must hold for ever what {@link Version} promises. */
export function versionOf(text: string): Version {
  return text as Version
}

/** @throws CoordinationError INVALID_ARGUMENT if the text is not the decimal form of a token. */
export function parseToken(text: string): FencingToken {
  if (!/^(0|[1-9]\d*)$/.test(text)) {
    throw new CoordinationError('INVALID_ARGUMENT', `not a fencing token: ${JSON.stringify(text)}`)
  }
  return BigInt(text)
}

class StoredEntry implements Entry {
  readonly key: string
  readonly bytes: Uint8Array
  readonly version: Version

  constructor(key: string, bytes: Uint8Array, version: Version) {
    this.key = key
    // not bytes.slice(): a Buffer's slice is a view of the driver's receive buffer
    this.bytes = new Uint8Array(bytes)
    this.version = version
  }

  get text(): string {
    return toText(this.bytes, { key: this.key })
  }
}
