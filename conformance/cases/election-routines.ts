/** What election cases have done inside a child process: where it must be synchronous, or see each millisecond. */
import { isCoordinationError, type Leadership, systemClock } from '../../spi/index.ts'
import type { AgentWorld, Routines } from '../kit/agent-world.ts'
import { watchLoop } from './election-clock.ts'
import type { RecordTermsArgs, TermClaim } from './election-terms.ts'

export const electionRoutines = { recordTerms, leadAndStall, leadAndBeStopped, sessionDeadline } satisfies Routines

export interface StallArgs {
  readonly service: string
  readonly candidate: string
  /** How long the loop stalls, or will be stopped at least. Milliseconds. */
  readonly stallMs: number
  /** What is written, with the fence, right after waking. */
  readonly key: string
}

/** What the first statements after waking see; no timer and no reply has been served yet. */
export interface Awakening {
  readonly held: boolean
  /** Whether `leadership()` still gives the handle. */
  readonly leads: boolean
  /** Code of what `assertHeld` threw; undefined: nothing. */
  readonly asserted: string | undefined
  /** Code of the refused write; 'written' if it was done. */
  readonly write: string
}

/** While a term goes on, it is told so often: what a killed process could not tell is shorter. Milliseconds. */
const TELL_MS = 50

async function recordTerms(
  { election, emit, now }: AgentWorld,
  { service, candidate }: RecordTermsArgs,
): Promise<void> {
  const client = election(service)
  let claim: TermClaim | undefined
  let toldTo = -Infinity
  const tell = () => {
    if (claim === undefined || claim.to === toldTo) return
    emit('term', claim)
    toldTo = claim.to
  }
  const extend = ({ token }: Leadership, at: number) => {
    if (claim?.token === token) {
      claim = { ...claim, to: Math.max(claim.to, at) }
    } else {
      tell()
      claim = { service, token, from: at, to: at }
    }
  }
  // the time is read first: whoever holds at a later moment of the same turn has held then
  const look = (at: number, leadership: Leadership | undefined) => {
    if (leadership?.held === true) {
      extend(leadership, at)
      if (at - toldTo >= TELL_MS) tell()
    } else {
      tell()
    }
  }
  const loop = watchLoop((at) => look(at, client.leadership(candidate)))
  // told too late is as bad as held too long, unless nobody could be told
  const ended = (leadership: Leadership) => {
    extend(leadership, loop.ranAt())
    tell()
  }
  await client.addListener({
    onLeaderChange: () => undefined,
    onElected(leadership) {
      look(now(), leadership)
      leadership.signal.addEventListener('abort', () => ended(leadership), { once: true })
    },
    onLeadershipLost: ended,
  })
}

/** Blocks the event loop while leading. */
async function leadAndStall(world: AgentWorld, args: StallArgs): Promise<Awakening> {
  const leadership = leadershipOf(world, args)
  block(args.stallMs)
  return lookAround(world, leadership, args)
}

/** Is stopped from outside while leading, in the middle of a statement if possible; knows it by the clock. */
async function leadAndBeStopped(world: AgentWorld, args: StallArgs): Promise<Awakening> {
  const leadership = leadershipOf(world, args)
  let before = world.now()
  const wasStopped = () => {
    const now = world.now()
    const gap = now - before
    before = now
    return gap > args.stallMs / 2
  }
  world.emit('ready to be stopped')
  for (;;) {
    const pauseAt = world.now() + 20
    while (world.now() < pauseAt) {
      block(1)
      if (wasStopped()) return lookAround(world, leadership, args)
    }
    // renewals need the loop too
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    if (wasStopped()) return lookAround(world, leadership, args)
  }
}

/** Not async: up to the write nothing else may run. */
function lookAround({ locator, election }: AgentWorld, leadership: Leadership, args: StallArgs): Promise<Awakening> {
  const held = leadership.held
  const leads = election(args.service).leadership(args.candidate) !== undefined
  let asserted: string | undefined
  try {
    leadership.assertHeld()
  } catch (error) {
    asserted = codeOf(error)
  }
  const write = locator.getStorage().put(args.key, 'by a leader of former times', { fence: leadership })
  return write.then(
    () => ({ held, leads, asserted, write: 'written' }),
    (error: unknown) => ({ held, leads, asserted, write: codeOf(error) }),
  )
}

/** Up to when the session holds as of now, by the clock of all; it can only move on. */
async function sessionDeadline({ locator, now }: AgentWorld): Promise<number> {
  const left = locator.session.deadline - systemClock.now()
  return now() + left
}

function leadershipOf({ election }: AgentWorld, { service, candidate }: StallArgs): Leadership {
  const leadership = election(service).leadership(candidate)
  if (leadership === undefined) throw new Error(`${candidate} does not lead ${service}`)
  return leadership
}

/** Without burning the processor that other cases need. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function codeOf(error: unknown): string {
  return isCoordinationError(error) ? error.code : String(error)
}
