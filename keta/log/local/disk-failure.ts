/** Turns what the operating system reports into LogErrors: the one place that knows the system's codes. */
import { LogError } from '../log.ts'

/** 'NO_SPACE' when the device or the quota is used up, else 'IO'. A LogError passes through unchanged. */
export function diskFailure(error: unknown, doing: string): LogError {
  if (error instanceof LogError) {
    return error
  }
  const full = isSystemError(error, 'ENOSPC') || isSystemError(error, 'EDQUOT')
  const reason = error instanceof Error ? error.message : String(error)
  return new LogError(full ? 'NO_SPACE' : 'IO', `${doing}: ${reason}`, { cause: error })
}

export function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
