/**
 * What shows one node that another belongs to its cluster. The link shares its port with clients, and what comes over
 * it is believed: who asks for a request that is handed on.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** @param logId of the log that the nodes share: whoever knows it has access to the log itself. */
export function peerSecret(logId: string): string {
  return createHmac('sha256', logId).update('keta.Peer').digest('base64url')
}

/** In a time that tells nothing about where they differ. */
export function isSecret(given: string | undefined, secret: string): boolean {
  return timingSafeEqual(digest(given ?? ''), digest(secret))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
