/** The header fields that HPACK knows from the start (RFC 7541, appendix A). */

/** A header field: names and values as Latin-1, one character a byte. Never changed, so that tables can share it. */
export interface HeaderField {
  readonly name: string
  readonly value: string
  /** As RFC 7541, 4.1 counts it. */
  readonly size: number
  /** Neither name nor value has characters that a header field must not have (RFC 9113, 8.2.1). */
  readonly isLegal: boolean
}

/** What a field costs a table besides its bytes. */
const FIELD_OVERHEAD_BYTES = 32

const LEGAL_NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/
const ILLEGAL_IN_VALUES = /[\0-\x08\x0a-\x1f\x7f]/

export function headerField(name: string, value: string): HeaderField {
  return {
    name,
    value,
    size: name.length + value.length + FIELD_OVERHEAD_BYTES,
    isLegal: LEGAL_NAME.test(name) && !ILLEGAL_IN_VALUES.test(value),
  }
}

/** In the order of their indexes, which begin at 1. A value follows its name after a space. */
const FIELDS = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`

export const STATIC_TABLE: readonly HeaderField[] = FIELDS.split('\n').map((line) => {
  const space = line.indexOf(' ')
  return space < 0 ? headerField(line, '') : headerField(line.slice(0, space), line.slice(space + 1))
})

/** Index of the first field of this name; 0 if there is none. */
export function staticNameIndex(name: string): number {
  return STATIC_TABLE.findIndex((field) => field.name === name) + 1
}
