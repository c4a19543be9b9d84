/** What to do about a failure, for the person who reads the log. */

const ADVICE: Readonly<Record<string, string>> = {
  LOCKED: 'stop that process, or give this one another --data-dir',
  CORRUPT: 'nothing was altered; docs/operations.md says what each refusal to start means and how to mend it',
  OUT_OF_RANGE:
    'part of the log is missing; restore the data directory from a backup. In a cluster whose other nodes run, start ' +
    'this one with an empty data directory instead',
  LOG_DIVERGED:
    'the log is not the one that was written here: restore log and snapshots from the same backup; in a cluster, see ' +
    'which node has the newest state and whether brokers have lost data (an unclean leader election, restored disks)',
  UNSUPPORTED_RECORD:
    'a newer release has written to this log: start that release here too; if there is none, another program writes ' +
    'to the topic, which only the nodes of this cluster may (kafka-acls.sh)',
  GARBLED_RECORD:
    'the log is damaged, or another program writes to it, which only the nodes of this cluster may (kafka-acls.sh); ' +
    'keep it as it is and restore a backup',
  STATE_DIVERGED:
    'this node and the leader made different things of one log: keep a copy of the data directory for a report, and ' +
    'start again with an empty one; if another node stops too, stop the leader first',
  LOG_PROTOCOL: 'this is a defect; the data directory is as it was before the last acknowledged write or newer',
  NO_SPACE: 'free space on the device of the data directory and start again; every acknowledged write is safe',
  IO: 'look at the device and the permissions of the data directory and start again; every acknowledged write is safe',
  APPEND_FAILED: 'look at the device of the data directory and start again; every acknowledged write is safe',
  UNREACHABLE:
    'see that the brokers run and that this machine reaches them: --kafka-bootstrap-servers and the addresses that ' +
    'they advertise themselves; a broker that wants TLS or SASL looks like this too (--kafka-security-protocol)',
  NOT_AUTHENTICATED:
    'see that user, password and mechanism (--kafka-sasl-...), certificates and key (--kafka-ssl-...) are those that ' +
    'the brokers expect, and that their certificates name the hosts that are connected to',
  NOT_AUTHORISED: 'grant this user what the message names (kafka-acls.sh), or choose a topic or group that it may use',
  UNSAFE_TOPIC: 'run the commands of the message and start again, or choose another --kafka-topic',
  UNSETTLED:
    'the brokers are not ready (a leader is being elected, or too few replicas are in sync): start again later',
  PROTOCOL:
    'the brokers answer what they must not: see that they are Kafka 3.1 or newer, and that --cluster-group-id and ' +
    '--kafka-topic belong to no other program',
  DUPLICATE_MEMBER:
    'each node needs a data directory of its own, not a copy of another one, and its own --advertise-client-urls',
  INVALID_CONFIGURATION: 'keta check prints every option with its value and where it was set',
  EADDRINUSE: 'another process listens there: stop it, or choose another --listen-client-urls',
  EADDRNOTAVAIL: 'this machine has no such address: choose another --listen-client-urls',
  EACCES: 'this user may not do that: mend the permissions, or choose another path or port',
  EPERM: 'this user may not do that: mend the permissions, or choose another path or port',
  EROFS: 'the file system is read-only: mount it for writing, or choose another --data-dir',
  ENOTDIR: 'a part of the path is not a directory: choose another --data-dir',
}

const MAX_CAUSES = 8

/** The advice for the innermost failure that has one: the cause knows better than what wraps it. */
export function adviceFor(error: unknown): string | undefined {
  let advice: string | undefined
  let current = error
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth++) {
    const { code } = current as { code?: unknown }
    if (typeof code === 'string' && Object.hasOwn(ADVICE, code)) advice = ADVICE[code]
    current = current.cause
  }
  return advice
}
