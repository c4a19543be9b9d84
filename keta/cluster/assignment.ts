/**
 * Who should lead: a pure function of what the members say about themselves, computed by whichever of them the group
 * protocol asks. Sticky: the incumbent is whoever led the newest epoch, so members that join or leave do not disturb
 * it, and one that comes back after a pause does not take the lead again.
 */
import type { Assignment, MemberInfo, RefusedMember } from './coordination.ts'

export function assign(generation: number, joined: readonly MemberInfo[]): Assignment {
  const byAge = [...joined].sort((a, b) => a.startedAt - b.startedAt || compareIds(a, b))
  const members: MemberInfo[] = []
  const refused: RefusedMember[] = []
  for (const member of byAge) {
    const conflict = conflictOf(member, members)
    if (conflict === undefined) members.push(member)
    else refused.push({ memberId: member.memberId, startedAt: member.startedAt, conflict })
  }
  members.sort(compareIds)
  return { generation, leader: leaderOf(members)?.memberId, members, refused }
}

/**
 * The eligible member with the newest epoch; among those that never led the one that has applied most, so that it need
 * not catch up first.
 */
function leaderOf(members: readonly MemberInfo[]): MemberInfo | undefined {
  const [best] = members
    .filter(({ eligible }) => eligible)
    .sort((a, b) => b.ledEpoch - a.ledEpoch || b.appliedOffset - a.appliedOffset || compareIds(a, b))
  return best
}

function conflictOf(member: MemberInfo, others: readonly MemberInfo[]): string | undefined {
  for (const other of others) {
    const url = member.clientUrls.find((candidate) => other.clientUrls.includes(candidate))
    if (url !== undefined) return `the advertised URL ${url}`
    if (other.memberId === member.memberId) return `the member id ${member.memberId.toString(16)}`
  }
  return undefined
}

function compareIds(a: MemberInfo, b: MemberInfo): number {
  return a.memberId < b.memberId ? -1 : Number(a.memberId > b.memberId)
}
