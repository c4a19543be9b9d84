/** Cassandra's release for tests, and how Java is started on it. */
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { JavaRelease } from './java-installation.ts'

const VERSION = '5.0.9'
const SOURCES = fileURLToPath(new URL('./cassandra', import.meta.url))

export const CASSANDRA: JavaRelease = {
  product: 'Cassandra',
  name: `cassandra-${VERSION}`,
  pom: join(SOURCES, 'pom.xml'),
}

/** What Cassandra uses of Java's inside. */
const EXPORTS = [
  'java.base/java.lang.ref',
  'java.base/jdk.internal.misc',
  'java.management.rmi/com.sun.jmx.remote.internal.rmi',
  'java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server',
  'java.sql/java.sql',
  'jdk.attach/sun.tools.attach',
  'jdk.compiler/com.sun.tools.javac.file',
  'jdk.unsupported/sun.misc',
]
const OPENS = [
  'java.base/java.io',
  'java.base/java.lang',
  'java.base/java.lang.module',
  'java.base/java.lang.reflect',
  'java.base/java.util',
  'java.base/jdk.internal.loader',
  'java.base/jdk.internal.math',
  'java.base/jdk.internal.module',
  'java.base/jdk.internal.ref',
  'java.base/jdk.internal.reflect',
  'java.base/jdk.internal.util.jar',
  'java.base/sun.nio.ch',
  'jdk.compiler/com.sun.tools.javac',
  'jdk.management/com.sun.management.internal',
]

/**
 * Java's arguments without class path and main class: made for a quick start and little memory.
 * @param nodes how many the cluster has
 */
export function javaArguments(heapMb: number, dataDir: string, nodes: number): readonly string[] {
  return [
    ...[`-Xmx${heapMb}m`, '-Xss384k', '-XX:MaxDirectMemorySize=128m', '-XX:+ExitOnOutOfMemoryError'],
    ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'],
    ...EXPORTS.map((name) => `--add-exports=${name}=ALL-UNNAMED`),
    ...OPENS.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
    '-Djdk.attach.allowAttachSelf=true',
    '-Dio.netty.tryReflectionSetAccessible=true',
    '-Djava.net.preferIPv4Stack=true',
    `-Djava.io.tmpdir=${dataDir}`,
    `-Dlogback.configurationFile=${join(SOURCES, 'logback.xml')}`,
    `-Dcassandra.config=${pathToFileURL(configurationFile(dataDir)).href}`,
    `-Dcassandra.storagedir=${dataDir}`,
    `-Dcassandra.logdir=${dataDir}`,
    '-Dcassandra-foreground=yes',
    '-Dcassandra.available_processors=2',
    ...quickStart(),
    // every node can tell who logs in, and `ready` writes to all of them
    ...['auth', 'traces'].map((keyspace) => `-Dcassandra.system_${keyspace}.default_rf=${nodes}`),
  ]
}

export function configurationFile(dataDir: string): string {
  return join(dataDir, 'cassandra.yaml')
}

function quickStart(): readonly string[] {
  const properties = {
    // otherwise measured at each start with a hundred thousand rows
    'memtable.row_overhead_size': '180',
    // the data need to outlive the process, not the machine
    skip_sync: 'true',
    // what is thought of the pace of a node's signs of life before there are any
    fd_initial_value_ms: '1000',
    ring_delay_ms: '0',
    skip_wait_for_gossip_to_settle: '0',
    // tried again as often while nodes are missing
    superuser_setup_delay_ms: '200',
    'consistent.rangemovement': 'false',
    // passwords of tests are no secrets: the cheapest hash will do
    auth_bcrypt_gensalt_log2_rounds: '4',
  }
  return Object.entries(properties).map(([name, value]) => `-Dcassandra.${name}=${value}`)
}
