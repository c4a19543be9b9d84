/** JSON from the store and from the wire, taken apart with a complaint for whatever is not as it should be. */
import { BrokerError, messageOf } from '../errors.ts'

export type Json = Readonly<Record<string, unknown>>

/** @throws BrokerError INVALID_METADATA if the text is not a JSON object. */
export function parseObject(text: string, about: string): Json {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new BrokerError('INVALID_METADATA', `${about} is not JSON: ${messageOf(cause)}`, { cause })
  }
  return asObject(value, about)
}

/** @throws BrokerError INVALID_METADATA */
export function asObject(value: unknown, about: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(about, 'an object')
  return value as Json
}

/** A whole number not below `least`. @throws BrokerError INVALID_METADATA */
export function asInt(value: unknown, about: string, least = 0): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
    throw wrong(about, `a whole number from ${least} on`)
  }
  return value
}

/** @throws BrokerError INVALID_METADATA */
export function asText(value: unknown, about: string): string {
  if (typeof value !== 'string') throw wrong(about, 'text')
  return value
}

/** @throws BrokerError INVALID_METADATA */
export function asList(value: unknown, about: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(about, 'a list')
  return value
}

/** Ids of brokers, none twice. @throws BrokerError INVALID_METADATA */
export function asIds(value: unknown, about: string): readonly number[] {
  const ids = asList(value, about).map((id) => asInt(id, `an id of ${about}`))
  if (new Set(ids).size !== ids.length) throw wrong(about, 'a list without repetitions')
  return ids
}

function wrong(about: string, expected: string): BrokerError {
  return new BrokerError('INVALID_METADATA', `${about} must be ${expected}`)
}
