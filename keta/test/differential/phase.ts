/** What a phase of a session is. */
import type { Session } from './session.ts'

/** Runs `requests` requests, or as many as it has if they are not random. */
export type Phase = (session: Session, requests: number) => Promise<void>
