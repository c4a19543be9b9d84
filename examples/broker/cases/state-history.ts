/** Watches the states of partitions: epochs must never fall, whoever writes. */
import { expect } from 'chai'
import { decodeState, type PartitionState } from '../core/metadata.ts'
import { statePath } from '../core/paths.ts'
import type { BrokerCluster } from './broker-cluster.ts'

export class StateHistory {
  readonly #seen = new Map<string, PartitionState[]>()

  /** From now on. */
  static async of(cluster: BrokerCluster, topic: string, partitions: number): Promise<StateHistory> {
    const history = new StateHistory()
    for (let partition = 0; partition < partitions; partition++) {
      const seen: PartitionState[] = []
      history.#seen.set(`${topic}-${partition}`, seen)
      const listener = {
        valueChanged: (text: string | undefined) => {
          if (text !== undefined) seen.push(decodeState(text))
        },
      }
      await cluster.observer.registry.addValueChangeListener(statePath(topic, partition), listener, { initial: true })
    }
    return history
  }

  /** In the order of versions. */
  check(): void {
    for (const [name, states] of this.#seen) {
      for (const [at, { controllerEpoch, leaderEpoch }] of states.entries()) {
        const before = states[at - 1]
        if (before === undefined) continue
        const what = `${name}: ${JSON.stringify(before)} and then ${JSON.stringify(states[at])}`
        expect(leaderEpoch, what).to.be.at.least(before.leaderEpoch)
        expect(controllerEpoch, what).to.be.at.least(before.controllerEpoch)
      }
    }
  }
}
