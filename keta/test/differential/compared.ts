/** What of etcd's API the comparison has asked for, and the table that the README has of it. */
import type { DescService } from '@bufbuild/protobuf'
import { Auth, Cluster, KV, Lease, Maintenance, Watch } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { Election } from '../../proto/gen/v3electionpb/v3election_pb.js'
import { Lock } from '../../proto/gen/v3lockpb/v3lock_pb.js'
import type { Connection } from './connection.ts'

const SERVICES: readonly DescService[] = [KV, Watch, Lease, Cluster, Maintenance, Auth, Lock, Election]

/** Of what cannot be compared answer by answer, or is not enough compared so. */
const OTHERWISE: Readonly<Record<string, string>> = {
  'etcdserverpb.KV/RangeStream': 'not there: it came with etcd 3.7',
  'etcdserverpb.Cluster/MemberAdd': 'the refusals; else `UNIMPLEMENTED`',
  'etcdserverpb.Cluster/MemberRemove': 'the refusals; else `UNIMPLEMENTED`',
  'etcdserverpb.Cluster/MemberUpdate': 'the refusals; else `UNIMPLEMENTED`',
  'etcdserverpb.Cluster/MemberPromote': 'the refusals; else `UNIMPLEMENTED`',
  'etcdserverpb.Maintenance/Downgrade': 'the refusals and CANCEL; else `UNIMPLEMENTED`',
  'etcdserverpb.Maintenance/Snapshot': 'a format of its own: saved by `etcdctl`, restored by `keta snapshot`',
}

/** Answers and messages of streams that were compared, by path. */
export type Compared = Map<string, number>

/** @returns the connection, with its answers counted. */
export function counted(connection: Connection, compared: Compared): Connection {
  const count = (path: string): void => void compared.set(path, (compared.get(path) ?? 0) + 1)
  return {
    name: connection.name,
    close: () => connection.close(),
    async unary(path, bytes, token) {
      const answer = await connection.unary(path, bytes, token)
      count(path)
      return answer
    },
    stream(path, handlers, token) {
      const onMessage = (bytes: Uint8Array): void => {
        count(path)
        handlers.onMessage(bytes)
      }
      return connection.stream(path, { ...handlers, onMessage }, token)
    },
  }
}

/** One row for each method of etcd's API. */
export function comparedTable(compared: Compared): string {
  const rows = SERVICES.flatMap(({ typeName, methods }) =>
    methods.map(({ name }) => {
      const path = `${typeName}/${name}`
      const count = atLeast(compared.get(`/${path}`) ?? 0)
      return `| ${typeName} | ${name} | ${count} | ${OTHERWISE[path] ?? ''} |`
    }),
  )
  return ['| service | method | answers equal to etcd’s | |', '|---|---|---:|---|', ...rows, ''].join('\n')
}

/** Paths of which the table tells nothing: no answer was compared, and nothing is said instead. */
export function untold(compared: Compared): readonly string[] {
  return SERVICES.flatMap(({ typeName, methods }) => methods.map(({ name }) => `${typeName}/${name}`)).filter(
    (path) => !compared.has(`/${path}`) && OTHERWISE[path] === undefined,
  )
}

/** Rounded down to one digit: how many it are exactly differs a little from run to run. */
function atLeast(count: number): string {
  if (count < 10) return String(count)
  const unit = 10 ** Math.floor(Math.log10(count))
  return `> ${(Math.floor((count - 1) / unit) * unit).toLocaleString('en')}`
}
