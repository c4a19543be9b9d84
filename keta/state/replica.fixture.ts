/** For tests: a state machine with an owner who writes to its log, and what came of each record in plain values. */
import type { Author } from '../command/author.ts'
import { encodeCommand } from '../command/codec.ts'
import type { Command, CommandResponse, OperationResponse } from '../command/command.ts'
import type { FailureCode } from '../command/failure.ts'
import { RecordChain } from '../command/record.ts'
import type { Commit, Version } from '../mvcc/kv.ts'
import type { Applied } from './state.ts'
import { StateMachine } from './state-machine.ts'

export const OWNER = Buffer.from('owner of the log')
export const CLAIMER = { memberId: 1n, urls: [], readLeaseMs: 0 }

/** A new state, claimed; `run` writes the next record and applies it. */
export class Replica {
  readonly state: StateMachine
  readonly records: Buffer[] = []
  readonly #chain: RecordChain

  constructor(state = new StateMachine()) {
    this.state = state
    this.#chain = RecordChain.claiming(state.position, OWNER)
    this.#append(this.#chain.claim(CLAIMER))
  }

  run(command: Command, author?: Author): Applied & { readonly status: 'applied' } {
    const applied = this.#append(this.#chain.command(encodeCommand(command, undefined, author)))
    if (applied.status !== 'applied') throw new Error(`own record was ${applied.status}`)
    return applied
  }

  /** The refusal of a command that must leave everything but the place in the log as it was. */
  refusal(command: Command, author?: Author): FailureCode {
    const before = contents(this.state)
    const { failure } = this.run(command, author)
    if (failure === undefined) throw new Error(`${command.kind} was not refused`)
    if (contents(this.state) !== before) throw new Error(`refused ${command.kind} changed the state`)
    return failure
  }

  /** The answer to a command that must not be refused. */
  answer(command: Command, author?: Author): CommandResponse {
    const { response, failure } = this.run(command, author)
    if (response === undefined) throw new Error(`${command.kind} was refused: ${failure}`)
    return response
  }

  #append(record: Buffer): Applied {
    this.records.push(record)
    return this.state.apply(this.state.position.offset + 1, record)
  }
}

export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain }

export function plainVersion(version: Version | undefined): Plain {
  if (version === undefined) return null
  const { key, createRevision, modRevision, version: count, lease } = version
  const value = Buffer.from(version.value()).toString()
  return { key, value, create: createRevision, mod: modRevision, version: count, lease: Number(lease) }
}

export function plainResponse(response: CommandResponse | undefined): Plain {
  switch (response?.kind) {
    case 'range':
      return { kvs: response.kvs.map(plainVersion), count: response.count, more: response.more }
    case 'put':
      return { previous: plainVersion(response.previous) }
    case 'deleteRange':
      return { deleted: response.deleted, previous: response.previous.map(plainVersion) }
    case 'txn':
      return { succeeded: response.succeeded, responses: response.responses.map(plainPart) }
    case 'alarm':
      return response.alarms.map(({ memberId, alarm }) => `${memberId}:${alarm}`)
    case 'leaseGrant':
      return { id: Number(response.id), ttl: response.ttl }
    case 'leaseRevoke':
    case 'compact':
    case 'auth':
      return {}
    case undefined:
      return null
  }
}

function plainPart({ response, revision }: { readonly response: OperationResponse; readonly revision: number }): Plain {
  return [response.kind, revision, plainResponse(response)]
}

/** Each event as "PUT key=value" or "DELETE key", with what it replaced. */
export function plainCommit(commit: Commit | undefined): Plain {
  if (commit === undefined) return null
  const events = commit.events.map(({ version, previous }) => {
    const what =
      version.version === 0 ? `DELETE ${version.key}` : `PUT ${version.key}=${Buffer.from(version.value()).toString()}`
    return `${version.sub} ${what} (${plainValue(previous)})`
  })
  return { revision: commit.revision, events }
}

function plainValue(version: Version | undefined): string {
  return version === undefined ? 'none' : Buffer.from(version.value()).toString()
}

/** Everything but the place in the log, for comparison. */
export function contents({ store, leases, alarms, auth }: StateMachine): string {
  const commits = store.commits(Math.max(store.compactRevision, 0), Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  return JSON.stringify({
    revision: store.revision,
    compactRevision: store.compactRevision,
    history: commits.map(plainCommit),
    leases: [...leases.leases()].map((lease) => [Number(lease.id), lease.ttl, lease.sortedKeys()]),
    alarms: alarms.list().map(({ memberId, alarm }) => [Number(memberId), alarm]),
    auth: auth.image,
  })
}
