/** etcd's Maintenance service, without Snapshot and Downgrade. */
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
  HashKVRequestSchema,
  HashKVResponseSchema,
  HashRequestSchema,
  HashResponseSchema,
  MoveLeaderRequestSchema,
  MoveLeaderResponseSchema,
  StatusRequestSchema,
  StatusResponseSchema,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import type { Method } from '../transport/transport.ts'
import type { Headers } from './header.ts'
import { coldMethod } from './methods.ts'
import type { Routed, Routes } from './routes.ts'

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
    ['MoveLeader', moveLeader(engine, headers)],
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
    answersAnywhere: ({ action }) => action === AlarmRequest_AlarmAction.GET,
    async handle({ action, memberID, alarm }) {
      switch (action) {
        case AlarmRequest_AlarmAction.GET: {
          const alarms = await engine.read(false, () => engine.alarms())
          return alarmAnswer(headers, engine.revision, alarms.filter(isOfType(alarm)))
        }
        case AlarmRequest_AlarmAction.ACTIVATE:
        case AlarmRequest_AlarmAction.DEACTIVATE: {
          const verb = action === AlarmRequest_AlarmAction.ACTIVATE ? 'activate' : 'deactivate'
          const command = { kind: 'alarm', action: verb, memberId: memberID, alarm } as const
          const { response, revision } = await engine.propose(command)
          return alarmAnswer(headers, revision, response.alarms)
        }
        default:
          throw new RequestFailure('UNKNOWN_ALARM_ACTION')
      }
    },
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

function moveLeader(engine: Engine, headers: Headers): Method {
  return coldMethod(MoveLeaderRequestSchema, MoveLeaderResponseSchema, async ({ targetID }) => {
    await engine.moveLeader(targetID)
    return { header: headers.message(0) }
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
