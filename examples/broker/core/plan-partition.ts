/** What becomes of one partition: its first state, its leader when brokers come and go, the steps of a reassignment. */
import { NO_LEADER, type PartitionState } from './metadata.ts'
import type { LiveBroker } from './view.ts'

export interface PartitionSituation {
  readonly controllerEpoch: number
  readonly brokers: ReadonlyMap<number, LiveBroker>
  /** In the order of preference. */
  readonly replicas: readonly number[]
  readonly removing: readonly number[]
  /** None yet: it is new. */
  readonly state: PartitionState | undefined
  /** An administrator wants the first replica to lead. */
  readonly preferFirst: boolean
}

/** The state to write now; undefined if the present one is right. */
export function planPartition(situation: PartitionSituation): PartitionState | undefined {
  const { state } = situation
  if (state === undefined) return firstState(situation)
  return electLeader(situation, state) ?? dropRemoved(situation, state) ?? preferFirst(situation, state)
}

/** All of the replicas that are there are in sync: of nothing. */
function firstState({ controllerEpoch, brokers, replicas }: PartitionSituation): PartitionState | undefined {
  const isr = replicas.filter((id) => brokers.has(id))
  const [leader] = isr
  return leader === undefined ? undefined : { controllerEpoch, leader, leaderEpoch: 0, isr }
}

/** Only who is in sync may lead: nobody else has all that was acknowledged. */
function electLeader(situation: PartitionSituation, state: PartitionState): PartitionState | undefined {
  const { brokers } = situation
  const leader = brokers.get(state.leader)
  if (leader?.isLeaving === false) return undefined
  const candidates = situation.replicas.filter((id) => state.isr.includes(id) && mayLead(brokers, id))
  const [elected] = candidates
  if (elected !== undefined) {
    return next(situation, state, { leader: elected, isr: state.isr.filter((id) => candidates.includes(id)) })
  }
  // who wants to leave stays as long as nobody can replace it; the last in sync are remembered
  if (leader !== undefined || state.leader === NO_LEADER) return undefined
  return next(situation, state, { leader: NO_LEADER, isr: state.isr })
}

/** The last step of a reassignment but one: once all who stay are in sync, those who go neither lead nor count. */
function dropRemoved(situation: PartitionSituation, state: PartitionState): PartitionState | undefined {
  const { replicas, removing, brokers } = situation
  const staying = replicas.filter((id) => !removing.includes(id))
  const isr = state.isr.filter((id) => staying.includes(id))
  const isReady = staying.every((id) => isr.includes(id))
  if (!isReady || isr.length === state.isr.length) return undefined
  const leader = staying.includes(state.leader) ? state.leader : staying.find((id) => mayLead(brokers, id))
  return leader === undefined ? undefined : next(situation, state, { leader, isr })
}

function preferFirst(situation: PartitionSituation, state: PartitionState): PartitionState | undefined {
  const [first] = situation.replicas
  if (!situation.preferFirst || first === undefined || first === state.leader) return undefined
  if (!state.isr.includes(first) || !mayLead(situation.brokers, first)) return undefined
  return next(situation, state, { leader: first, isr: state.isr })
}

function mayLead(brokers: ReadonlyMap<number, LiveBroker>, id: number): boolean {
  return brokers.get(id)?.isLeaving === false
}

function next(
  { controllerEpoch }: PartitionSituation,
  { leaderEpoch }: PartitionState,
  change: Pick<PartitionState, 'leader' | 'isr'>,
): PartitionState {
  return { controllerEpoch, leaderEpoch: leaderEpoch + 1, ...change }
}
