/**
 * Who calls: the one place where a call's token, or its client's certificate, becomes the author of what it asks for.
 * As in etcd, a token that is given counts, valid or not; only without one the common name of the certificate does.
 */
import { type Author, authorMetadata, authorOfMetadata } from '../command/author.ts'
import { RequestFailure } from '../command/failure.ts'
import { digestOfToken, type SignedTokens } from '../credentials/credentials.ts'
import type { Access } from '../engine/api.ts'
import type { Call } from '../transport/transport.ts'

export interface Caller {
  /** Asked when the request has come through the checks before. @throws RequestFailure INVALID_AUTH_TOKEN */
  author(): Author | undefined
}

/** While auth is off. */
const ANYBODY: Caller = { author: () => undefined }

/** etcd's names for the metadata with the token, the first that is there counts. */
const TOKEN_METADATA: readonly string[] = ['token', 'authorization']
const BEARER = 'Bearer '

export interface CallersOptions {
  readonly access: Access
  /** Without them tokens are simple ones. */
  readonly signedTokens: SignedTokens | undefined
}

export class Callers {
  readonly #options: CallersOptions

  constructor(options: CallersOptions) {
    this.#options = options
  }

  /** Does it as the caller: at once, unless the caller has a token of which this node has yet to read. */
  as<T>(call: Call, action: (caller: Caller) => T | Promise<T>): T | Promise<T> {
    const caller = this.of(call)
    return caller instanceof Promise ? caller.then(action) : action(caller)
  }

  of(call: Call): Caller | Promise<Caller> {
    const { access, signedTokens } = this.#options
    if (!access.enabled) return ANYBODY
    const caller: Caller = { author: () => this.#authorOf(call) }
    const token = signedTokens === undefined ? simpleToken(tokenOf(call)) : undefined
    const arrival = token && access.tokenArrival(token.offset)
    return arrival === undefined ? caller : arrival.then(() => caller)
  }

  #authorOf(call: Call): Author | undefined {
    const { access } = this.#options
    if (!access.enabled) return undefined
    const text = tokenOf(call)
    const authRevision = access.revision
    if (text === undefined) {
      const name = call.certificate?.commonName
      return name === undefined ? undefined : { user: name, authRevision }
    }
    const author = this.#authorOfToken(text)
    if (author === undefined) throw new RequestFailure('INVALID_AUTH_TOKEN')
    return author
  }

  #authorOfToken(text: string): Author | undefined {
    const { access, signedTokens } = this.#options
    if (signedTokens !== undefined) return signedTokens.verify(text)
    const token = simpleToken(text)
    const user = token && access.tokenUser(digestOfToken(token.prefix), token.offset)
    return user === undefined ? undefined : { user, authRevision: access.revision }
  }
}

/** What another node says of the caller of a request that it hands on. */
export function forwardedCaller(metadata: ReadonlyMap<string, string>): Caller {
  const author = authorOfMetadata(metadata)
  return author === undefined ? ANYBODY : { author: () => author }
}

/** @throws RequestFailure INVALID_AUTH_TOKEN */
export function forwardedMetadata(caller: Caller): ReadonlyMap<string, string> {
  return authorMetadata(caller.author())
}

function tokenOf(call: Call): string | undefined {
  for (const name of TOKEN_METADATA) {
    const value = call.metadata(name)
    if (value !== undefined) return value.startsWith(BEARER) ? value.slice(BEARER.length) : value
  }
  return undefined
}

interface SimpleToken {
  readonly prefix: string
  /** Of the record that gave it out. */
  readonly offset: number
}

function simpleToken(text: string | undefined): SimpleToken | undefined {
  const [, prefix, digits] = /^([^.]*)\.(\d{1,15})$/.exec(text ?? '') ?? []
  return prefix === undefined ? undefined : { prefix, offset: Number(digits) }
}
