/**
 * The folder of a broker's logs: one process at a time, of one broker of one cluster, as its `meta.properties` says. A
 * folder with another cluster's logs is refused: what that cluster has, this one does not know, and would remove.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { BrokerError } from '../errors.ts'

export interface LogDir {
  readonly path: string
  /** Of the folder, for ever: who has it and is registered with it has been this broker. */
  readonly id: string
  release(): void
}

const META = 'meta.properties'
const LOCK = '.lock'
/** Which incarnation of a topic the folder of a partition belongs to, as Kafka's file of that name says. */
const METADATA = 'partition.metadata'

/** @throws BrokerError LOG_DIR if another process uses it, or it belongs to another broker or cluster. */
export function openLogDir(path: string, brokerId: number, clusterId: string): LogDir {
  mkdirSync(path, { recursive: true })
  lock(path)
  try {
    const meta = readProperties(join(path, META))
    const wrong = [
      ...(meta['broker.id'] === undefined || meta['broker.id'] === String(brokerId)
        ? []
        : [`broker ${meta['broker.id']}`]),
      ...(meta['cluster.id'] === undefined || meta['cluster.id'] === clusterId
        ? []
        : [`cluster ${meta['cluster.id']}`]),
    ]
    if (wrong.length > 0) {
      const message = `${path} belongs to ${wrong.join(' of ')}, not to broker ${brokerId} of cluster ${clusterId}`
      throw new BrokerError('LOG_DIR', message)
    }
    const id = meta['directory.id'] ?? randomUUID()
    const lines = { version: '0', 'broker.id': String(brokerId), 'cluster.id': clusterId, 'directory.id': id }
    if (meta['directory.id'] === undefined) writeProperties(join(path, META), lines)
    return { path, id, release: () => rmSync(join(path, LOCK), { force: true }) }
  } catch (error) {
    rmSync(join(path, LOCK), { force: true })
    throw error
  }
}

export function topicIdIn(folder: string): string | undefined {
  return readProperties(join(folder, METADATA))['topic_id']
}

export function writeTopicId(folder: string, id: string): void {
  mkdirSync(folder, { recursive: true })
  writeProperties(join(folder, METADATA), { version: '0', topic_id: id })
}

/** A file that names its process: left behind by one that has died, it is taken over. */
function lock(path: string): void {
  const file = join(path, LOCK)
  const draft = join(path, `${LOCK}-${randomUUID()}`)
  writeDurably(draft, String(process.pid))
  try {
    const holder = existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined
    if (holder !== undefined && !isRunning(holder)) rmSync(file, { force: true })
    linkSync(draft, file)
  } catch (cause) {
    throw new BrokerError('LOG_DIR', `${path} is in use by another process (${file} names it)`, { cause })
  } finally {
    rmSync(draft, { force: true })
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function readProperties(file: string): Readonly<Record<string, string | undefined>> {
  if (!existsSync(file)) return {}
  const found: Record<string, string> = {}
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(line) ?? []
    if (name !== undefined && value !== undefined) found[name] = value
  }
  return found
}

function writeProperties(file: string, properties: Readonly<Record<string, string>>): void {
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`)
  writeDurably(file, lines.join(''))
}

function writeDurably(file: string, text: string): void {
  const fd = openSync(file, 'w')
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
