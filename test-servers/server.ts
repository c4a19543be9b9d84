/**
 * What a test may do with a real server, whatever the server is: every kind of server in this folder is started by a
 * function `startX(options): Promise<TestServer>`.
 */
export interface TestServer {
  /** For messages: 'etcd', 'keta'. */
  readonly name: string
  /** Where clients connect: 'host:port'. It stays the same over kill and restart. */
  readonly endpoint: string
  /** Of the running process; it changes with every restart. @throws if the server is not running. */
  readonly pid: number
  /** Kept over kill and restart, removed by stop. */
  readonly dataDir: string
  /** Everything that the server has printed, over all restarts. */
  log(): string
  /**
   * Ends the server in its own graceful way (SIGTERM; SIGKILL after 10 s) and removes its data. May be called twice.
   */
  stop(): Promise<void>
  /** SIGKILL; resolves when the process is gone. The data stay. */
  kill(): Promise<void>
  /** SIGSTOP; returns when it stands still. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Starts the server again on the same data and endpoint (ending it gracefully first if it still runs). */
  restart(): Promise<void>
}

/** A program that a server is made with or runs on is not on this machine; see `provideOrSkip`. */
export class MissingToolchainError extends Error {
  override readonly name = 'MissingToolchainError'
}

/** The error to throw when `program` failed: a program that is not there is a missing toolchain. */
export function missing(program: string, message: string, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code !== 'ENOENT' || syscall !== `spawn ${program}`) return error
  return new MissingToolchainError(message, { cause: error })
}

/**
 * For `before` hooks: gives what `provide` gives. Where a toolchain is missing the suite is skipped, saying so by name;
 * with CI=true that is a failure, so that a proof can't fall out of a run unseen.
 */
export async function provideOrSkip<T>(context: Mocha.Context, provide: () => Promise<T>): Promise<T> {
  try {
    return await provide()
  } catch (error) {
    if (!(error instanceof MissingToolchainError) || process.env['CI'] === 'true') throw error
    const suite = context.test?.parent?.fullTitle() ?? 'a suite'
    process.stderr.write(`\nSKIPPED: "${suite}": ${error.message}\n\n`)
    return context.skip()
  }
}
