/** etcd's own Go client, in the program of `keta/test/clients/go`. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureGoPrograms } from '../../../test-servers/go-programs.ts'

const SOURCES = fileURLToPath(new URL('./go', import.meta.url))

/**
 * @returns the program's path
 * @throws MissingToolchainError without Go
 */
export async function ensureGoClient(): Promise<string> {
  const folder = await ensureGoPrograms({ name: 'go-client', module: SOURCES, packages: { 'go-client': '.' } })
  return join(folder, 'go-client')
}
