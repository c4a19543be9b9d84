/** Servers that are started together, and are one cluster. */
import { freePort } from './ports.ts'
import type { TestServer } from './server.ts'

/** Waits for all of them. If one did not start, those that did are stopped. @throws as the first that did not start */
export async function startTogether(starts: readonly Promise<TestServer>[]): Promise<readonly TestServer[]> {
  const outcomes = await Promise.allSettled(starts)
  const servers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') continue
    await stopAll(servers)
    throw outcome.reason
  }
  return servers
}

export async function stopAll(servers: readonly TestServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()))
}

/** A paused server runs. */
export function isRunning(server: TestServer): boolean {
  try {
    return server.pid > 0
  } catch {
    return false
  }
}

/**
 * Different ones.
 * @param hosts as of freePort
 */
export async function freePorts(count: number, hosts?: readonly string[]): Promise<readonly number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort(hosts))
  return [...ports]
}
