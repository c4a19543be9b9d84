/** What proves who somebody is, as the configuration asks for it. */
import { readFileSync } from 'node:fs'
import { readFailure } from './config/files.ts'
import { ConfigurationError } from './config/configuration-error.ts'
import type { Config } from './config/options.ts'
import type { Credentials } from './credentials/credentials.ts'
import { BcryptPasswords } from './credentials/passwords.ts'
import { createSignedTokens, SignedTokensError } from './credentials/signed-tokens.ts'

/** @throws ConfigurationError if the keys of signed tokens cannot be read, or do not fit. */
export function credentialsOf({ authToken, bcryptCost }: Config): Credentials {
  const passwords = new BcryptPasswords(bcryptCost)
  if (authToken.type === 'simple') return { passwords }
  const { signMethod, ttlMs } = authToken
  const [publicKey, privateKey] = [authToken.publicKey, authToken.privateKey].map(contentOf)
  try {
    return { passwords, signedTokens: createSignedTokens({ signMethod, publicKey, privateKey, ttlMs, now: Date.now }) }
  } catch (cause) {
    if (cause instanceof SignedTokensError) throw invalid(cause.message, cause)
    throw cause
  }
}

function contentOf(path: string): Buffer | undefined {
  if (path === '') return undefined
  try {
    return readFileSync(path)
  } catch (cause) {
    throw invalid(`${path}: ${readFailure(cause)}`, cause)
  }
}

function invalid(problem: string, cause: unknown): ConfigurationError {
  return new ConfigurationError(`auth-token: ${problem}`, { cause })
}
