/** What lifecycle and fault cases have done inside a child process: what must be seen from a process of its own. */
import { isCoordinationError, silentLogger } from '../../spi/index.ts'
import { loadPlugin } from '../../spi/node/index.ts'
import type { AgentWorld, Routines } from '../kit/agent-world.ts'
import { watchLoop } from './election-clock.ts'
import { churn, type ChurnArgs, type Footprints } from './lifecycle-churn.ts'

export const lifecycleRoutines = { startInVain, churnClients } satisfies Routines

export interface StartInVainArgs {
  readonly serverProperties: string
  readonly timeoutMs: number
}

export interface VainStart {
  /** 'started' if it succeeded. */
  readonly code: string
  readonly effect: string
  /** Without what a stalled event loop added. */
  readonly tookMs: number
}

async function startInVain({ now }: AgentWorld, { serverProperties, timeoutMs }: StartInVainArgs): Promise<VainStart> {
  const loop = watchLoop()
  const start = now()
  try {
    const locator = await loadPlugin(serverProperties, { logger: silentLogger }, { timeoutMs })
    await locator.shutdown()
    return { code: 'started', effect: 'unknown', tookMs: loop.ranAt() - start }
  } catch (error) {
    if (!isCoordinationError(error)) throw error
    return { code: error.code, effect: error.effect, tookMs: loop.ranAt() - start }
  } finally {
    loop.stop()
  }
}

async function churnClients(_world: AgentWorld, args: ChurnArgs): Promise<Footprints> {
  return churn(args)
}
