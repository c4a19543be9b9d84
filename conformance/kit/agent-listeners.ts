/** The listeners of an agent: every callback and every abort of a signal becomes an event. */
import type {
  GroupChangeListener,
  LeaderChangeListener,
  Leadership,
  Logger,
  Membership,
  Session,
  SessionListener,
} from '../../spi/index.ts'
import { machineNow } from './machine-time.ts'
import type { RemoteEvent } from './party.ts'

/** An event without its time. */
export type Happening = RemoteEvent extends infer E ? (E extends RemoteEvent ? Omit<E, 'at'> : never) : never

export type Tell = (event: RemoteEvent) => void

export function teller(send: Tell): (happening: Happening) => void {
  return (happening) => send({ at: machineNow(), ...happening })
}

export function groupListener(group: string, tell: (happening: Happening) => void): GroupChangeListener {
  return {
    onGroupChange: (members) => tell({ type: 'group-change', group, members: [...members] }),
    onMembershipLost: ({ id, epoch }, reason) => tell({ type: 'membership-lost', id, epoch, reason }),
    onRejoined(membership) {
      tell({ type: 'rejoined', id: membership.id, epoch: membership.epoch })
      watchMembership(membership, tell)
    },
  }
}

/** @param remember is given each handle, for what is to be done with it when it is out of date. */
export function leaderListener(
  service: string,
  tell: (happening: Happening) => void,
  remember: (leadership: Leadership) => void,
): LeaderChangeListener {
  return {
    onLeaderChange: (leader) => tell({ type: 'leader-change', service, leader }),
    onElected(leadership) {
      const { candidate, token } = leadership
      remember(leadership)
      tell({ type: 'elected', candidate, token })
      whenAborted(leadership, () => tell({ type: 'leadership-aborted', candidate, token }))
    },
    onLeadershipLost: ({ candidate, token }, reason) => tell({ type: 'leadership-lost', candidate, token, reason }),
  }
}

export function watchMembership(membership: Membership, tell: (happening: Happening) => void): void {
  const { id, epoch } = membership
  whenAborted(membership, () => tell({ type: 'membership-aborted', id, epoch }))
}

/** Listens to the session, and to each that follows it. */
export function watchSession(session: Session, tell: (happening: Happening) => void): void {
  let { id } = session
  const listener: SessionListener = {
    onSuspended: () => tell({ type: 'suspended', session: id }),
    onResumed: () => tell({ type: 'resumed', session: id }),
    onLost: () => tell({ type: 'lost', session: id }),
    onReestablished(next) {
      id = next.id
      tell({ type: 'reestablished', session: id })
      // it counts once, also where the next session is the same object
      next.addListener(listener)
    },
  }
  session.addListener(listener)
}

export function eventLogger(tell: (happening: Happening) => void): Logger {
  const at = (level: string) => (message: string, fields?: object) => {
    tell({ type: 'log', line: logLine(level, message, fields) })
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** One line for a message of a backend; errors among the fields with their causes. */
export function logLine(level: string, message: string, fields?: object): string {
  if (fields === undefined) return `${level}: ${message}`
  const seen = new Set<unknown>()
  const text = JSON.stringify(fields, (_name, value: unknown) => {
    if (typeof value === 'bigint') return String(value)
    if (typeof value !== 'object' || value === null) return value
    if (seen.has(value)) return '(again)'
    seen.add(value)
    return value instanceof Error
      ? { name: value.name, message: value.message, stack: value.stack, cause: value.cause }
      : value
  })
  return `${level}: ${message} ${text}`
}

function whenAborted({ signal }: Leadership | Membership, then: () => void): void {
  if (signal.aborted) then()
  else signal.addEventListener('abort', then, { once: true })
}
