/** docs/configuration.md, from the option table. */
import type { ForeignOption } from './foreign-option.ts'
import { FOREIGN_OPTIONS } from './foreign-options.ts'
import { defaultText } from './help.ts'
import type { Option } from './option.ts'
import { allOptions, environmentNames } from './options.ts'

const HEAD = `# Configuration

<!-- Generated from keta/config/options.ts; UPDATE_GENERATED=1 with the tests of keta/config writes it anew. -->

A setting comes from a flag, the environment, a file or the default; option by option, the first of these that has it
counts.

- **Flags** have etcd's names where they mean the same: \`--data-dir /var/lib/keta\`, \`--data-dir=/var/lib/keta\`.
- **Environment**: \`KETA_DATA_DIR\`; where the option means the same in etcd, \`ETCD_DATA_DIR\` if that is not set.
- **File**: \`keta FILE\`, \`--config-file FILE\` or \`KETA_CONFIG_FILE\`. A \`.yaml\` file has the names
  of the flags. A \`.properties\` file has them too, and Java Keta's names. Samples: \`config/keta.yaml\`,
  \`config/keta.properties\` (every option), \`config/cluster.properties\` (three nodes on a Kafka).

\`keta check FILE\` says whether a configuration is valid and prints each value with its source, without starting.
An unknown name or a bad value ends the start with exit code 2; all problems are reported at once.

Durations are written \`500ms\`, \`10s\`, \`1h30m\`; sizes \`1048576\`, \`512KiB\`, \`2GiB\` (\`KB\`, \`MB\`, \`GB\` are
powers of 1000); lists are separated by commas, or YAML lists.
`

const CLUSTER = `
## A cluster on Kafka: what must be the same, and what must not

With \`--kafka-bootstrap-servers\` a node keeps its log in Kafka and shares it with all nodes that have the same
\`--kafka-topic\` and \`--cluster-group-id\`. These, \`--read-lease\` and the limits should be the same on all of them.
Each needs a \`--data-dir\` of its own (never a copy of another node's), and an address at which the others reach it:
\`--advertise-client-urls\`, or \`--host-name\` with the port listened on.

**Secrets** (passwords, a JAAS configuration) are never printed, not by \`keta check\` either. Command lines can be read
by others on the machine; the environment and a file of mode 0600 cannot.

**Host names of brokers are checked** with TLS, although Java Keta's default was not to: without the check any
certificate of the same authority, that of another service or a stolen one, passes for a broker, and is told the
password if the mechanism is PLAIN. A broker whose certificate does not name it is refused. Issue one that does, or,
until then, set \`--kafka-ssl-verify-hostname=false\` (\`kafkacache.ssl.endpoint.identification.algorithm=\`).

**Key stores** are told apart by their content, whatever \`.type\` says: PEM, or PKCS12 as OpenSSL and keytool of Java
16 and later write it. JKS can be read by Java only; the refusal shows the command that converts it.

Options that contradict each other (a password without SASL, certificates without TLS) are refused. Java Keta ignored
them, and sent in plain text what was meant to be protected.
`

const IGNORED = `
## Names without effect

These are accepted, so that existing command lines and files keep working, and named in one warning at the start.

| Names | From | Why |
| --- | --- | --- |
`

const REFUSED = `
## Names that are refused

These ask for something that this version does not have. Going on without it would be dangerous, so the server exits
with code 2 while they are set.

| Names | From | Why |
| --- | --- | --- |
`

export function configurationReference(): string {
  let text = HEAD
  let section = ''
  for (const [, option] of allOptions()) {
    if (option.section !== section) {
      text += `\n## ${option.section}\n\n| Flag | Value | Default | Meaning |\n| --- | --- | --- | --- |\n`
      section = option.section
    }
    text += row([`\`--${option.flag}\``, option.kind.expected, defaultCell(option), meaningCell(option)])
  }
  return text + CLUSTER + IGNORED + foreignRows('ignored') + REFUSED + foreignRows('refused')
}

function defaultCell(option: Option<unknown>): string {
  if (option.default === '') return defaultText(option)
  const properties = option.propertiesDefault
  return `\`${option.default}\`` + (properties === undefined ? '' : `; with a .properties file \`${properties}\``)
}

function meaningCell(option: Option<unknown>): string {
  const names = environmentNames(option).map((name) => `\`${name}\``)
  const property = option.property === undefined ? '' : ` In .properties files also \`${option.property}\`.`
  return `${option.help}${property} Environment: ${names.join(', ')}.`
}

/** One row per reason. */
function foreignRows(treatment: ForeignOption['treatment']): string {
  const byReason = new Map<string, ForeignOption[]>()
  for (const option of FOREIGN_OPTIONS) {
    if (option.treatment !== treatment) continue
    const key = `${option.from}: ${option.reason}`
    byReason.set(key, [...(byReason.get(key) ?? []), option])
  }
  return [...byReason.values()]
    .map((options) => {
      const names = options.map((option) => `\`${option.name}\`${exceptions(option)}`)
      return row([names.join(', '), options[0]?.from ?? '', options[0]?.reason ?? ''])
    })
    .join('')
}

function exceptions(option: ForeignOption): string {
  const values = option.treatment === 'refused' ? (option.harmless ?? []) : []
  return values.length === 0 ? '' : ` (unless ${values.map((value) => `\`${value}\``).join(', ')})`
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
}
