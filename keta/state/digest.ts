/**
 * The digest of what commands have come to. Replicas get the same records (the chain hash shows that); the digest shows
 * that they have made the same of them: it mixes in what each command did, so that a replica that differs in one
 * revision, one key or one refusal is found at the next tick.
 */
import type { ReplicatedState } from './execute.ts'
import type { Applied } from './state.ts'

/** @returns an unsigned number of 32 bits */
export function nextDigest(digest: number, applied: Applied & { status: 'applied' }, state: ReplicatedState): number {
  const { commit, failure } = applied
  let mixed = mix(digest, state.store.revision)
  mixed = mix(mixed, state.store.compactRevision)
  mixed = mix(mixed, state.leases.size)
  mixed = mix(mixed, failure === undefined ? 0 : failure.length)
  if (applied.command.kind === 'auth') {
    mixed = mix(mixed, state.auth.revision)
    mixed = mix(mixed, state.auth.enabled ? 1 : 0)
  }
  for (const { version, previous } of commit?.events ?? []) {
    mixed = mix(mixed, version.encodedLength)
    mixed = mix(mixed, version.version)
    mixed = mix(mixed, version.createRevision)
    mixed = mix(mixed, previous === undefined ? 0 : previous.modRevision)
  }
  return mixed >>> 0
}

/** One round of murmur3's mixing. */
function mix(digest: number, value: number): number {
  const scrambled = Math.imul(value | 0, 0xcc9e2d51)
  const rotated = Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593)
  const mixed = digest ^ rotated
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}
