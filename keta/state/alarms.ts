/** The alarms that are raised, as etcd's AlarmStore keeps them: a set of (member, type). */
import { type ActiveAlarm, ALARM_NONE } from '../command/command.ts'

export class Alarms {
  /** By type, then by member. */
  readonly #byType = new Map<number, Map<bigint, ActiveAlarm>>()

  /** Whether any member has raised an alarm of this type. */
  has(alarm: number): boolean {
    return this.#byType.has(alarm)
  }

  /** Raised alarms of one type, or of every type for ALARM_NONE; ordered by type, then member. */
  list(alarm: number = ALARM_NONE): readonly ActiveAlarm[] {
    const all = [...this.#byType.values()].flatMap((members) => [...members.values()])
    const asked = alarm === ALARM_NONE ? all : all.filter((active) => active.alarm === alarm)
    return asked.sort((a, b) => a.alarm - b.alarm || (a.memberId < b.memberId ? -1 : 1))
  }

  /** Idempotent. The alarm, or undefined for ALARM_NONE, which cannot be raised. */
  activate(memberId: bigint, alarm: number): ActiveAlarm | undefined {
    if (alarm === ALARM_NONE) return undefined
    const members = this.#byType.get(alarm) ?? new Map<bigint, ActiveAlarm>()
    const active = members.get(memberId) ?? { memberId, alarm }
    members.set(memberId, active)
    this.#byType.set(alarm, members)
    return active
  }

  /** The alarm that was cleared, undefined if it was not raised. */
  deactivate(memberId: bigint, alarm: number): ActiveAlarm | undefined {
    const members = this.#byType.get(alarm)
    const active = members?.get(memberId)
    if (members === undefined || active === undefined) return undefined
    members.delete(memberId)
    if (members.size === 0) this.#byType.delete(alarm)
    return active
  }
}
