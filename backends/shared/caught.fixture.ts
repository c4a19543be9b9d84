/** The error of a call that must fail. */
import { type CoordinationError, isCoordinationError } from '../../spi/index.ts'

/** @throws Error if it does not fail; whatever else than a CoordinationError it fails with. */
export async function caught(call: Promise<unknown> | (() => unknown)): Promise<CoordinationError> {
  try {
    await (typeof call === 'function' ? call() : call)
  } catch (error) {
    if (isCoordinationError(error)) return error
    throw error
  }
  throw new Error('it resolved')
}
