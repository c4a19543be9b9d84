/** Conditions of etcd's transactions. */
import type { ICompare } from 'etcd3'

/** Revisions are positive, and 63 bits wide. */
const MAX_REVISION = 2n ** 63n - 1n
/** What no key has. */
const NEVER = '-1'

/**
 * That the key was created (`Create`) or last written (`Mod`) at that revision; '0': that it is absent. What is no
 * revision – a version or a token of another store, which callers may hand us – is never equal.
 */
export function equals(key: Buffer, target: 'Create' | 'Mod', revision: bigint | '0'): ICompare {
  const wanted = revision === '0' || isRevision(revision) ? revision.toString() : NEVER
  return { key, result: 'Equal', target, [target === 'Create' ? 'create_revision' : 'mod_revision']: wanted }
}

export function isPresent(key: Buffer): ICompare {
  return { key, result: 'Greater', target: 'Create', create_revision: '0' }
}

/** That the key is there, with that value. */
export function holds(key: Buffer, value: Buffer): ICompare {
  return { key, result: 'Equal', target: 'Value', value }
}

/** undefined: the text is none. */
export function revisionOf(text: string): bigint | undefined {
  if (!/^[1-9]\d{0,18}$/.test(text)) return undefined
  const revision = BigInt(text)
  return isRevision(revision) ? revision : undefined
}

function isRevision(value: bigint): boolean {
  return value > 0n && value <= MAX_REVISION
}
