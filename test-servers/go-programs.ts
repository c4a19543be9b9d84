/** Programs that are built from their Go modules once, into the project's cache. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureFolder, stampOf } from './cached-folder.ts'
import { missing } from './server.ts'

/** It keeps the pins of programs in go.mod, and is not compiled. */
const PINS_ONLY = 'tools.go'
const run = promisify(execFile)

export interface GoPrograms {
  /** Of the folder in the cache. */
  readonly name: string
  /** The folder with go.mod and, if they are not another module's, the sources. */
  readonly module: string
  /** By the name of each program the package that it is. */
  readonly packages: Readonly<Record<string, string>>
}

/**
 * The folder with the programs, built now or by an earlier run from the same sources and pins.
 * @throws MissingToolchainError without Go
 */
export function ensureGoPrograms({ name, module, packages }: GoPrograms): Promise<string> {
  const sources = readdirSync(module).filter((file) => file !== PINS_ONLY)
  return ensureFolder({
    name,
    stamp: stampOf(sources.sort().map((file) => join(module, file))),
    async make(folder) {
      process.stderr.write(`building ${name} (once; it can take minutes)\n`)
      try {
        for (const [program, goPackage] of Object.entries(packages)) {
          const options = ['build', '-buildvcs=false', '-o', join(folder, program), goPackage]
          await run('go', options, { cwd: module, maxBuffer: 1 << 24 })
        }
      } catch (error) {
        throw missing('go', `Go is not installed, so ${name} can't be built`, error)
      }
    },
  })
}
