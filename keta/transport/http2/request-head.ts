/** What the header fields of a request say, and whether HTTP/2 allows them (RFC 9113, 8.2 and 8.3). */
import type { HeaderField } from './hpack/static-table.ts'
import { ProtocolError } from './protocol-error.ts'

const LEGAL_METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const LEGAL_PATH = /^[!-~]+$/

export interface RequestHead {
  readonly method: string
  readonly path: string
  readonly authority: string | undefined
  readonly contentType: string | undefined
  /** Value of grpc-timeout. */
  readonly timeout: string | undefined
  /** Value of grpc-encoding. */
  readonly encoding: string | undefined
  /** What the body must have, in bytes. */
  readonly contentLength: number | undefined
  /** All fields, those that begin with a colon too. */
  readonly fields: readonly HeaderField[]
}

/** @throws ProtocolError of the stream */
export function readRequestHead(streamId: number, fields: readonly HeaderField[]): RequestHead {
  const seen = new Seen(streamId)
  let hasRegular = false
  for (const field of fields) {
    if (!field.isLegal) throw seen.malformed('a header field with characters that it must not have')
    if (field.name.startsWith(':')) {
      if (hasRegular) throw seen.malformed('a pseudo-header field after others')
      seen.pseudo(field)
    } else {
      hasRegular = true
      seen.regular(field)
    }
  }
  return seen.head(fields)
}

/** @throws ProtocolError of the stream */
export function checkTrailers(streamId: number, fields: readonly HeaderField[]): void {
  for (const { name, isLegal } of fields) {
    if (!isLegal || name.startsWith(':')) throw new ProtocolError('PROTOCOL_ERROR', 'malformed trailers', streamId)
  }
}

class Seen {
  readonly #streamId: number
  #method: string | undefined
  #path: string | undefined
  #scheme: string | undefined
  #authority: string | undefined
  #contentType: string | undefined
  #timeout: string | undefined
  #encoding: string | undefined
  #contentLength: number | undefined

  constructor(streamId: number) {
    this.#streamId = streamId
  }

  pseudo({ name, value }: HeaderField): void {
    if (name === ':method') this.#method = this.#first(name, this.#method, value)
    else if (name === ':path') this.#path = this.#first(name, this.#path, value)
    else if (name === ':scheme') this.#scheme = this.#first(name, this.#scheme, value)
    else if (name === ':authority') this.#authority = this.#first(name, this.#authority, value)
    else throw this.malformed('an unknown pseudo-header field')
  }

  regular({ name, value }: HeaderField): void {
    switch (name) {
      case 'content-type':
        this.#contentType = value
        break
      case 'te':
        if (value !== 'trailers') throw this.malformed('te is more than trailers')
        break
      case 'grpc-timeout':
        this.#timeout = value
        break
      case 'grpc-encoding':
        this.#encoding = value
        break
      case 'content-length':
        this.#contentLength = this.#length(value)
        break
      case 'connection':
      case 'proxy-connection':
      case 'keep-alive':
      case 'transfer-encoding':
      case 'upgrade':
        throw this.malformed(`${name} is not for HTTP/2`)
    }
  }

  head(fields: readonly HeaderField[]): RequestHead {
    if (this.#method === undefined || this.#path === undefined || this.#path === '' || this.#scheme === undefined) {
      throw this.malformed('a request without method, path or scheme')
    }
    if (!LEGAL_METHOD.test(this.#method) || !LEGAL_PATH.test(this.#path)) {
      throw this.malformed('a method or path with characters that it must not have')
    }
    return {
      method: this.#method,
      path: this.#path,
      authority: this.#authority,
      contentType: this.#contentType,
      timeout: this.#timeout,
      encoding: this.#encoding,
      contentLength: this.#contentLength,
      fields,
    }
  }

  malformed(message: string): ProtocolError {
    return new ProtocolError('PROTOCOL_ERROR', message, this.#streamId)
  }

  #first(name: string, before: string | undefined, value: string): string {
    if (before !== undefined) throw this.malformed(`${name} twice`)
    return value
  }

  #length(value: string): number {
    if (!/^\d{1,15}$/.test(value)) throw this.malformed('a content-length that is no number')
    const length = Number(value)
    if (this.#contentLength !== undefined && this.#contentLength !== length) throw this.malformed('two content-lengths')
    return length
  }
}
