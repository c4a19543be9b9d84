/** etcd's Maintenance service. Snapshot is in snapshot.ts. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'

import { type ActiveAlarm, ALARM_CORRUPT, ALARM_NONE, ALARM_NOSPACE } from '../command/command.ts'
import { RequestFailure } from '../command/failure.ts'
import type { Engine } from '../engine/api.ts'
import {
  type AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmRequestSchema,
  AlarmResponseSchema,
  DefragmentRequestSchema,
  DefragmentResponseSchema,
  DowngradeRequest_DowngradeAction,
  DowngradeRequestSchema,
  DowngradeResponseSchema,
  HashKVRequestSchema,
  HashKVResponseSchema,
  HashRequestSchema,
  HashResponseSchema,
  MoveLeaderRequestSchema,
  MoveLeaderResponseSchema,
  StatusRequestSchema,
  StatusResponseSchema,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import { type Method, RpcError, STATUS } from '../transport/transport.ts'
import type { Headers } from './header.ts'
import { coldMethod, refuse } from './methods.ts'
import type { Routed, Routes } from './routes.ts'
import { snapshot } from './snapshot.ts'

export interface MaintenanceOptions {
  /** The etcd version whose behaviour this is: clients decide by it what they may ask for. */
  readonly version: string
  readonly storageVersion: string
}

export function maintenanceService(
  engine: Engine,
  headers: Headers,
  routes: Routes,
  options: MaintenanceOptions,
): ReadonlyMap<string, Method> {
  return new Map([
    ['Status', status(engine, headers, options)],
    ['Alarm', routes.method('etcdserverpb.Maintenance/Alarm', alarm(engine, headers))],
    ['Hash', hash(engine, headers)],
    ['HashKV', hashKv(engine, headers)],
    ['Defragment', defragment(engine)],
    ['MoveLeader', moveLeader(engine)],
    ['Downgrade', downgrade(headers, options)],
    ['Snapshot', snapshot(engine, options.storageVersion)],
  ])
}

function status(engine: Engine, headers: Headers, { version, storageVersion }: MaintenanceOptions): Method {
  return coldMethod(StatusRequestSchema, StatusResponseSchema, () => {
    const now = engine.status()
    return {
      header: headers.message(),
      version,
      dbSize: BigInt(now.dbSize),
      leader: now.leaderId,
      raftIndex: BigInt(now.appendedIndex),
      raftTerm: BigInt(engine.term),
      raftAppliedIndex: BigInt(now.appliedIndex),
      errors: [...now.alarms.map(alarmText), ...(now.leaderId === 0n ? [NO_LEADER] : [])],
      dbSizeInUse: BigInt(now.dbSizeInUse),
      storageVersion,
      dbSizeQuota: BigInt(now.dbSizeQuota),
      downgradeInfo: {},
    }
  })
}

const NO_LEADER = 'etcdserver: no leader'

/** An alarm as etcd prints it: the text form of its protobuf message. */
function alarmText({ memberId, alarm }: ActiveAlarm): string {
  const member = memberId === 0n ? '' : `memberID:${memberId} `
  return alarm === ALARM_NONE ? member : `${member}alarm:${alarmName(alarm)} `
}

function alarmName(alarm: number): string {
  if (alarm === ALARM_NOSPACE) return 'NOSPACE'
  return alarm === ALARM_CORRUPT ? 'CORRUPT' : String(alarm)
}

function alarm(engine: Engine, headers: Headers): Routed<AlarmRequest> {
  return {
    decode: (body) => fromBinary(AlarmRequestSchema, body),
    answersAnywhere: isQuestion,
    async handle({ action, memberID, alarm }, _body, caller) {
      const author = caller.author()
      const asks = action === AlarmRequest_AlarmAction.GET
      refuse(asks ? engine.access.isSomebody(author) : engine.access.isRoot(author))
      switch (action) {
        case AlarmRequest_AlarmAction.GET: {
          const alarms = await engine.read(false, () => engine.alarms())
          return alarmAnswer(headers, engine.revision, alarms.filter(isOfType(alarm)))
        }
        case AlarmRequest_AlarmAction.ACTIVATE:
        case AlarmRequest_AlarmAction.DEACTIVATE: {
          const verb = action === AlarmRequest_AlarmAction.ACTIVATE ? 'activate' : 'deactivate'
          const command = { kind: 'alarm', action: verb, memberId: memberID, alarm } as const
          const { response, revision } = await engine.propose(command, undefined, author)
          return alarmAnswer(headers, revision, response.alarms)
        }
        default:
          throw new RequestFailure('UNKNOWN_ALARM_ACTION')
      }
    },
  }
}

function isQuestion(body: Uint8Array): boolean {
  try {
    return fromBinary(AlarmRequestSchema, body).action === AlarmRequest_AlarmAction.GET
  } catch {
    // Whoever answers says what is wrong with it.
    return false
  }
}

/** NONE asks for all. */
function isOfType(type: number): (active: ActiveAlarm) => boolean {
  return ({ alarm }) => type === ALARM_NONE || alarm === type
}

function alarmAnswer(headers: Headers, revision: number, alarms: readonly ActiveAlarm[]): Uint8Array {
  const answer = {
    header: headers.message(revision),
    alarms: alarms.map(({ memberId, alarm }) => ({ memberID: memberId, alarm })),
  }
  return toBinary(AlarmResponseSchema, create(AlarmResponseSchema, answer))
}

/** Like defragmentation an answer without a header. */
function moveLeader(engine: Engine): Method {
  return coldMethod(MoveLeaderRequestSchema, MoveLeaderResponseSchema, async ({ targetID }) => {
    await engine.moveLeader(targetID)
    return {}
  })
}

/** "3.5", "3.5.7", "3.5.0-rc.1+git": the versions that etcd reads. */
const VERSION = /^(\d+)\.(\d+)(?:\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?)?$/

/**
 * etcd's downgrades are about the format of its files, which this server does not have: what etcd would refuse is
 * refused as it does, and what it would do is not offered.
 */
function downgrade(headers: Headers, { storageVersion }: MaintenanceOptions): Method {
  const [, major, minor] = VERSION.exec(storageVersion) ?? []
  const version = `${major}.${minor}`
  const target = `${major}.${Number(minor) - 1}`
  return coldMethod(DowngradeRequestSchema, DowngradeResponseSchema, (request) => {
    switch (request.action) {
      case DowngradeRequest_DowngradeAction.CANCEL:
        return { header: headers.message(), version }
      case DowngradeRequest_DowngradeAction.VALIDATE:
      case DowngradeRequest_DowngradeAction.ENABLE: {
        const [matched, askedMajor, askedMinor] = VERSION.exec(request.version) ?? []
        if (matched === undefined) throw new RequestFailure('BAD_DOWNGRADE_VERSION')
        if (`${Number(askedMajor)}.${Number(askedMinor)}` !== target) throw new RequestFailure('BAD_DOWNGRADE_TARGET')
        throw new RpcError(STATUS.UNIMPLEMENTED, 'keta: its files have no format of an older etcd to go back to')
      }
      default:
        throw new RequestFailure('UNKNOWN_DOWNGRADE_ACTION')
    }
  })
}

/** etcd hashes its database file here, which is good for comparing members only; the same is true of this. */
function hash(engine: Engine, headers: Headers): Method {
  return coldMethod(HashRequestSchema, HashResponseSchema, () => ({
    header: headers.message(),
    hash: engine.hashKv(0).hash,
  }))
}

function hashKv(engine: Engine, headers: Headers): Method {
  return coldMethod(HashKVRequestSchema, HashKVResponseSchema, (request) => {
    const { hash, compactRevision, hashRevision } = engine.hashKv(Number(request.revision))
    return {
      header: headers.message(),
      hash,
      compactRevision: BigInt(compactRevision),
      hashRevision: BigInt(hashRevision),
    }
  })
}

/** The only answer without a header. */
function defragment(engine: Engine): Method {
  return coldMethod(DefragmentRequestSchema, DefragmentResponseSchema, async () => {
    await engine.defragment()
    return {}
  })
}
