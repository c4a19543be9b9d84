/** How a command of the executable ends: its exit code, and what it tells whoever typed it. */
import { RpcError } from '../transport/transport.ts'

export const OK = 0
export const FAILED = 1
export const USAGE = 2

/** The exit code that `action` resolves to; if it throws, why goes to stderr. */
export async function attempt(action: () => Promise<number>): Promise<number> {
  try {
    return await action()
  } catch (error) {
    process.stderr.write(`keta: ${messageOf(error)}\n`)
    return FAILED
  }
}

export function say(text: string): number {
  process.stdout.write(text)
  return OK
}

/** @param problem what is wrong with the command line: an error, or its text */
export function wrong(problem: unknown, help: string): number {
  process.stderr.write(`keta: ${messageOf(problem)}\n\n${help}`)
  return USAGE
}

function messageOf(error: unknown): string {
  if (error instanceof RpcError) return `the server refused: ${error.message}`
  return error instanceof Error ? error.message : String(error)
}
