/** What `keta --version` prints. */
import { createRequire } from 'node:module'

/** "keta 0.1.0 (node v20.20.2)". */
export function versionText(): string {
  // The package knows itself by name, from its sources as from dist.
  const { version } = createRequire(import.meta.url)('keta/package.json') as { version: string }
  return `keta ${version} (node ${process.version})`
}
