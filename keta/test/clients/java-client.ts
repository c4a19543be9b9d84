/** jetcd, etcd's Java client, in the program of `keta/test/clients/java`. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ensureFolder, stampOf } from '../../../test-servers/cached-folder.ts'
import { installJars, JAVA_ENVIRONMENT } from '../../../test-servers/java-installation.ts'
import { missing } from '../../../test-servers/server.ts'

const POM = fileURLToPath(new URL('./java/pom.xml', import.meta.url))
const SOURCE = fileURLToPath(new URL('./java/JetcdScenarios.java', import.meta.url))
const SMALL = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
const run = promisify(execFile)

/**
 * @returns the words after `java` that run the program
 * @throws MissingToolchainError without a JDK from 17 on or, when the jars are not there yet, without Maven
 */
export async function ensureJavaClient(): Promise<readonly string[]> {
  const { directory: jars } = await installJars({ product: 'jetcd', name: 'jetcd-0.8.7', pom: POM })
  const libraries = join(jars, 'libs', '*')
  const folder = await ensureFolder({
    name: 'jetcd-scenarios',
    stamp: stampOf([POM, SOURCE]),
    make: (fresh) => compile(fresh, libraries),
  })
  return [...SMALL, '-cp', `${folder}:${libraries}`, 'JetcdScenarios']
}

async function compile(folder: string, libraries: string): Promise<void> {
  try {
    await run('javac', ['-d', folder, '-cp', libraries, SOURCE], { env: { ...process.env, ...JAVA_ENVIRONMENT } })
  } catch (error) {
    throw missing('javac', `A JDK (javac) is not installed, so jetcd's scenarios can't be compiled`, error)
  }
}
