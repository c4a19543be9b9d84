/** Steps that group cases share: what a listener was told, who is a member, what must be seen by everybody. */
import { expect } from 'chai'
import type {
  GroupChangeListener,
  GroupMembershipClient,
  ListenOptions,
  LossReason,
  Member,
  Membership,
} from '../../spi/index.ts'
import type { Given, PartyOptions } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'

/** The group of cases that must name it, to a routine or a hook. */
export const GROUP = 'brokers'

/** How much longer than it must take something may take on a busy machine. Milliseconds. */
export const SLACK_MS = 1_000

/**
 * Of clients that are many, or asked all the time: a process that is busy with all of them must not lose their
 * sessions, which are not the subject.
 */
export function steady({ T }: Given): PartyOptions {
  return { sessionTtlMs: 3 * T }
}

export interface GroupLog {
  /** What onGroupChange was told, in order; each sorted. */
  readonly states: readonly (readonly string[])[]
  /** When, by the clock of all. */
  readonly times: readonly number[]
  readonly latest: readonly string[] | undefined
  readonly lost: readonly Loss[]
  readonly rejoined: readonly Membership[]
  /** Kinds of callbacks in their order: 'change', 'lost', 'rejoined'. */
  readonly order: readonly string[]
}

export interface Loss {
  readonly membership: Membership
  readonly reason: LossReason
  /** Whether the signal had aborted when the listener was told. */
  readonly aborted: boolean
}

/** Writes down what a listener of this client is told, from now on. */
export async function logGroup(
  given: Given,
  client: GroupMembershipClient,
  options?: ListenOptions,
): Promise<GroupLog> {
  const states: string[][] = []
  const times: number[] = []
  const lost: Loss[] = []
  const rejoined: Membership[] = []
  const order: string[] = []
  const listener: GroupChangeListener = {
    onGroupChange(membership) {
      order.push('change')
      times.push(given.now())
      states.push([...membership].sort())
    },
    onMembershipLost(membership, reason) {
      order.push('lost')
      lost.push({ membership, reason, aborted: membership.signal.aborted })
    },
    onRejoined(membership) {
      order.push('rejoined')
      rejoined.push(membership)
    },
  }
  await client.addListener(listener, options)
  return {
    ...{ states, times, lost, rejoined, order },
    get latest() {
      return states.at(-1)
    },
  }
}

/** No state twice in a row: that would be news without news. */
export function expectNoRepeats(what: string, states: readonly (readonly string[])[]): void {
  for (const [index, state] of states.entries()) {
    if (index === 0) continue
    expect(state, `${what} was told the same members twice in a row (call ${index + 1})`).not.to.deep.equal(
      states[index - 1],
    )
  }
}

/** Asks each of the clients: they must agree on exactly these ids. */
export async function expectMembers(
  what: string,
  parties: readonly Party[],
  ids: readonly string[],
  group?: string,
): Promise<void> {
  for (const party of parties) {
    const seen = [...(await party.group(group).membershipList())].sort()
    expect(seen, `${what}: the members as ${party.name} sees them`).to.deep.equal([...ids].sort())
  }
}

/** What a group says of one id, which must be there. */
export async function memberOf(client: GroupMembershipClient, id: string): Promise<Member> {
  const member = (await client.members()).get(id)
  if (member === undefined) throw new Error(`${id} must be a member of ${client.group}`)
  return member
}

/** Fails unless the member is there with the data and the epoch. */
export async function expectMember(
  client: GroupMembershipClient,
  id: string,
  data: string,
  epoch: bigint,
): Promise<void> {
  const member = await memberOf(client, id)
  expect(member.id, 'the id of a member under that id').to.equal(id)
  expect(new TextDecoder().decode(member.data), `the data of ${id}`).to.equal(data)
  expect(member.epoch, `the epoch of ${id}`).to.equal(epoch)
}
