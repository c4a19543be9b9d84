/** Agents forked ahead of time, so that a case does not wait for a process to start. Each is used once. */
import { AgentProcess } from './agent-process.ts'

export interface AgentPool {
  /** A fresh one, perhaps still starting: what is asked of it waits. */
  take(): AgentProcess
  close(): Promise<void>
}

/** @param spare how many are kept ready, once the first has been asked for. */
export function makeAgentPool(spare: number): AgentPool {
  const ready: AgentProcess[] = []
  let isClosed = false
  return {
    take() {
      if (isClosed) throw new Error('the run is over')
      const taken = ready.shift()
      const wanted = spare + (taken === undefined ? 1 : 0)
      while (ready.length < wanted) ready.push(new AgentProcess())
      return taken?.isAlive === true ? taken : (ready.shift() ?? new AgentProcess())
    },
    async close() {
      isClosed = true
      await Promise.all(ready.splice(0).map((agent) => agent.kill()))
    },
  }
}
