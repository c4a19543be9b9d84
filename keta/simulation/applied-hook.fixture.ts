/** Tells of every record that a state machine of a simulated node has applied. */
import { StateMachine } from '../state/state-machine.ts'

/** @return ends it. */
export function onApplied(observe: (machine: StateMachine) => void): () => void {
  const original = StateMachine.prototype.apply
  StateMachine.prototype.apply = function apply(...given) {
    const applied = original.apply(this, given)
    observe(this)
    return applied
  }
  return () => {
    StateMachine.prototype.apply = original
  }
}
