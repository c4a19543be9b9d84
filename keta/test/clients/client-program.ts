/** Programs around other people's clients: run against a server, scenario by scenario. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A line that a program prints for each scenario. */
export interface Outcome {
  readonly name: string
  readonly ok: boolean
  readonly error?: string
}

/** What a scenario may want from the test before it goes on. */
export type Wish = 'restart' | 'crash'

const DEADLINE_MS = 100_000

/**
 * Runs a program to its end; its lines are outcomes, and wishes that are granted before it goes on.
 * @throws if it ends in another way than by itself, or takes too long
 */
export async function runClient(
  program: string,
  words: readonly string[],
  grant: (wish: Wish) => Promise<void>,
): Promise<readonly Outcome[]> {
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], timeout: DEADLINE_MS, killSignal: 'SIGKILL' })
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
  // A program that has ended reads no more: its exit code says why.
  child.stdin.on('error', () => undefined)
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const outcomes: Outcome[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as Outcome | { readonly ask: Wish }
    if ('ask' in told) {
      await grant(told.ask)
      child.stdin.write('\n')
    } else outcomes.push(told)
  }
  const [code, signal] = await ended
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code ?? signal ?? '?'}: ${complaints.slice(-3000)}`)
  return outcomes
}
