/** What clients do during a run: workloads, each run by several workers, a worker at a node. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../differential/random.ts'
import type { RecordedClient } from './recorded-client.ts'

export interface WorkerPorts {
  readonly client: RecordedClient
  readonly random: Random
}

export interface Workload {
  readonly name: string
  /** Of each node. */
  readonly workersPerNode: number
  /** Does one thing. @returns false if it did not succeed. */
  step(ports: WorkerPorts): Promise<boolean>
  /** After the last step, when all nodes serve again. */
  finish?(client: RecordedClient): Promise<void>
}

/** Between two steps, in milliseconds. */
const PAUSE = { most: 40, afterTrouble: 100 }

export async function work(workload: Workload, ports: WorkerPorts, until: AbortSignal): Promise<void> {
  while (!until.aborted) {
    const isFine = await workload.step(ports)
    await delay(isFine ? ports.random.below(PAUSE.most) : PAUSE.afterTrouble)
  }
}
