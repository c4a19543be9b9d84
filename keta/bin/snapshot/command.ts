/** `keta snapshot save|restore|status FILE`. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { EMPTY_KEY } from '../../bytes/key.ts'
import { attempt, say, wrong } from '../outcome.ts'
import { readBackup, saveBackup } from './backup-file.ts'
import { restoreBackup } from './restore.ts'

const HELP = `Usage:
  keta snapshot save FILE [--endpoints HOST:PORT] [--cacert FILE]
      Write a backup of a running server to FILE. The default endpoint is 127.0.0.1:2379; https://HOST:PORT or a
      --cacert means TLS. "etcdctl snapshot save" writes the same, also where a user and a password are asked for.
  keta snapshot status FILE [-w table|json]
      Check a backup and print its hash (that of HashKV), its revision, how many keys live, and its size in bytes.
  keta snapshot restore FILE --data-dir DIR
      Make a new data directory from a backup, for a server with a log of its own.

Exit codes: 0 done, 1 failed, 2 wrong command line.
`

/** @param words after `snapshot`. Resolves to the exit code. */
export async function snapshotCommand(words: readonly string[]): Promise<number> {
  let given
  try {
    given = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        endpoints: { type: 'string', default: '127.0.0.1:2379' },
        cacert: { type: 'string' },
        'data-dir': { type: 'string' },
        'write-out': { type: 'string', short: 'w', default: 'table' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    return wrong(error, HELP)
  }
  const { values, positionals } = given
  if (values.help) return say(HELP)
  const [action, file, ...more] = positionals
  if (action === undefined) return wrong('what to do is missing: save, restore or status', HELP)
  if (file === undefined) return wrong(`keta snapshot ${action}: the file is missing`, HELP)
  if (more.length > 0) return wrong(`unexpected: ${more.join(' ')}`, HELP)
  switch (action) {
    case 'save':
      return attempt(() => save(file, values.endpoints, values.cacert))
    case 'restore': {
      const dataDir = values['data-dir']
      if (dataDir === undefined) return wrong('keta snapshot restore: --data-dir is missing', HELP)
      return attempt(() => restore(file, dataDir))
    }
    case 'status': {
      const format = values['write-out']
      if (format !== 'table' && format !== 'json')
        return wrong(`--write-out: "${format}"; expected table or json`, HELP)
      return attempt(() => status(file, format))
    }
    default:
      return wrong(`keta snapshot ${action}: expected save, restore or status`, HELP)
  }
}

async function save(file: string, endpoint: string, cacert: string | undefined): Promise<number> {
  const address = endpoint.replace(/^https?:\/\//, '')
  const tls = cacert === undefined ? endpoint.startsWith('https://') : readFileSync(cacert)
  const size = await saveBackup({ address, tls }, file)
  return say(`saved ${size} bytes of ${endpoint} in ${file}\n`)
}

async function restore(file: string, dataDir: string): Promise<number> {
  const revision = await restoreBackup(file, dataDir)
  return say(
    `restored revision ${revision} in ${dataDir}; start it with: keta --data-dir ${dataDir}\n` +
      'It is a server with a log of its own. For a cluster on Kafka start it, and copy what it holds into the new\n' +
      'cluster: etcdctl make-mirror\n',
  )
}

async function status(file: string, format: 'table' | 'json'): Promise<number> {
  const { state, sizeBytes } = await readBackup(file)
  const { store } = state
  const { revision } = store
  const { count } = store.range({ start: EMPTY_KEY, end: null }, revision, 0)
  const hash = store.hashKv(revision)
  if (format === 'json') {
    return say(`${JSON.stringify({ hash, revision, totalKey: count, totalSize: sizeBytes })}\n`)
  }
  const row = [hash.toString(16).padStart(8, '0'), String(revision), String(count), String(sizeBytes)]
  return say(table([['HASH', 'REVISION', 'TOTAL KEYS', 'TOTAL SIZE'], row]))
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`
  const [head = '', ...lines] = rows.map(
    (row) => `|${row.map((text, at) => ` ${text.padStart(widths[at] ?? 0)} `).join('|')}|`,
  )
  return `${[rule, head, rule, ...lines, rule].join('\n')}\n`
}
