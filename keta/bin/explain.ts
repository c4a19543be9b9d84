/** What to do about a failure, for the person who reads the log. */

const ADVICE: Readonly<Record<string, string>> = {
  LOCKED: 'stop that process, or give this one another --data-dir',
  CORRUPT: 'nothing was altered; docs/operations.md says what each refusal to start means and how to mend it',
  OUT_OF_RANGE: 'part of the log is missing; restore the data directory from a backup',
  LOG_DIVERGED: 'the log is not the one that was written here; restore log and snapshots from the same backup',
  LOG_PROTOCOL: 'this is a defect; the data directory is as it was before the last acknowledged write or newer',
  NO_SPACE: 'free space on the device of the data directory and start again; every acknowledged write is safe',
  IO: 'look at the device and the permissions of the data directory and start again; every acknowledged write is safe',
  APPEND_FAILED: 'look at the device of the data directory and start again; every acknowledged write is safe',
  EADDRINUSE: 'another process listens there: stop it, or choose another --listen-client-urls',
  EADDRNOTAVAIL: 'this machine has no such address: choose another --listen-client-urls',
  EACCES: 'this user may not do that: mend the permissions, or choose another path or port',
  EPERM: 'this user may not do that: mend the permissions, or choose another path or port',
  EROFS: 'the file system is read-only: mount it for writing, or choose another --data-dir',
  ENOTDIR: 'a part of the path is not a directory: choose another --data-dir',
}

const MAX_CAUSES = 8

/** The advice for the innermost failure that has one: the cause knows better than what wraps it. */
export function adviceFor(error: unknown): string | undefined {
  let advice: string | undefined
  let current = error
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth++) {
    const { code } = current as { code?: unknown }
    if (typeof code === 'string' && Object.hasOwn(ADVICE, code)) advice = ADVICE[code]
    current = current.cause
  }
  return advice
}
