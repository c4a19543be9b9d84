/** The tables: what they are made of, and how they come to be. */
import { configError } from '../../spi/config/parse-config.ts'
import { CoordinationError } from '../../spi/index.ts'
import type { Call } from '../shared/driver.ts'
import type { Cluster } from './cluster.ts'
import type { Settings } from './settings.ts'

/**
 * `store` and `session` are written by conditional writes only, `beat` by plain ones only: mixed in one table, a plain
 * write from a server whose clock is ahead would keep later conditional ones from showing.
 */
function tablesOf(keyspace: string): Readonly<Record<string, string>> {
  return {
    store:
      `CREATE TABLE IF NOT EXISTS "${keyspace}".store (cluster text, kind text, name text, rev bigint static, ` +
      'at bigint, data blob, since bigint, holder text, session text, nonce text, number bigint, ' +
      'changed frozen<list<text>>, PRIMARY KEY ((cluster), kind, name))',
    session:
      `CREATE TABLE IF NOT EXISTS "${keyspace}".session (cluster text, id text, beat bigint, ttl_ms bigint, ` +
      'over boolean, PRIMARY KEY ((cluster, id)))',
    // nothing is ever deleted here: what has expired is of no use to anybody
    beat:
      `CREATE TABLE IF NOT EXISTS "${keyspace}".beat (cluster text, session text, beat bigint, ` +
      'PRIMARY KEY ((cluster), session)) WITH gc_grace_seconds = 0',
  }
}

/** @returns all statements; the first makes the keyspace, with three replicas as a proposal. */
function schemaOf(settings: Settings, center: string): readonly string[] {
  const { keyspace, replication } = settings
  const factors = replication.size > 0 ? [...replication] : [['', 3] as const]
  const shown = factors.map(([name, factor]) => `'${name === '' ? center : name}': ${factor}`).join(', ')
  const create =
    `CREATE KEYSPACE IF NOT EXISTS "${keyspace}" ` + `WITH replication = {'class': 'NetworkTopologyStrategy', ${shown}}`
  return [create, ...Object.values(tablesOf(keyspace))]
}

/** Creates what is missing. @throws CoordinationError CONFIG with the statements to run, if it must not. */
export async function ensureSchema(cluster: Cluster, call: Call): Promise<void> {
  try {
    for (const statement of await missing(cluster, call)) await cluster.define(statement)
  } catch (error) {
    throw refused(error, cluster.settings, cluster)
  }
}

async function missing(cluster: Cluster, call: Call): Promise<readonly string[]> {
  const { settings } = cluster
  const { keyspace } = settings
  const [create = ''] = schemaOf(settings, cluster.localDataCenter ?? '')
  const spaces = await cluster.read(
    { query: 'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?', params: [keyspace] },
    'one',
    call,
  )
  const tables = await cluster.read(
    { query: 'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?', params: [keyspace] },
    'one',
    call,
  )
  if (spaces.rowLength === 0 && settings.replication.size === 0) {
    throw configError([`the keyspace ${keyspace} is missing: ${howTo(settings, cluster)}`])
  }
  const there = new Set(tables.rows.map((row) => String(row['table_name'])))
  const wanted = Object.entries(tablesOf(keyspace)).filter(([name]) => !there.has(name))
  const statements = wanted.map(([, statement]) => statement)
  return spaces.rowLength === 0 ? [create, ...statements] : statements
}

function refused(error: unknown, settings: Settings, cluster: Cluster): unknown {
  if (!(error instanceof CoordinationError) || error.code !== 'AUTHORIZATION') return error
  const message = `${error.message}; if tables are missing: ${howTo(settings, cluster)}`
  return new CoordinationError('AUTHORIZATION', message, { backend: error.backend, effect: 'none', cause: error })
}

function howTo(settings: Settings, cluster: Cluster): string {
  const statements = schemaOf(settings, cluster.localDataCenter ?? 'datacenter1').map((statement) => `${statement};`)
  return `give plugin.cassandra.replication, or run\n${statements.join('\n')}`
}
