/** The text of `keta --help`, from the option table. */
import type { Option } from './option.ts'
import { allOptions, environmentNames } from './options.ts'
import { wrap } from './wrap.ts'

const WIDTH = 100
const INDENT = 6

const HEAD = `Usage:
  keta [serve] [FILE.properties|FILE.yaml] [flags]   serve etcd's v3 API
  keta check [FILE.properties|FILE.yaml] [flags]     validate the configuration and print it
  keta snapshot --help                               save, check and restore backups
  keta log --help                                    look at the log, verify it
  keta conformance --help                            try a coordination backend
  keta --version | --help

  --config-file FILE, --config FILE
      Configuration file, .properties or .yaml.
      [env KETA_CONFIG_FILE, ETCD_CONFIG_FILE]

A flag counts before the environment, the environment before the file, the file before the default.
`

const FOOT = `
etcd's flags about its raft protocol are accepted and have no effect.
`

/** At most 100 columns; ends with a newline. */
export function helpText(): string {
  let text = HEAD
  let section = ''
  for (const [, option] of allOptions()) {
    if (option.section !== section) text += `\n${option.section}:\n`
    section = option.section
    text += describe(option)
  }
  return text + FOOT
}

function describe(option: Option<unknown>): string {
  const facts = [`default ${defaultText(option)}`, `env ${environmentNames(option).join(', ')}`]
  const lines = [option.help, `[${facts.join('; ')}]`].flatMap((text) => wrap(text, WIDTH - INDENT))
  return [`  --${option.flag} <${option.kind.name}>`, ...lines.map((line) => ' '.repeat(INDENT) + line), ''].join('\n')
}

/** The default as a user reads it. */
export function defaultText(option: Option<unknown>): string {
  return option.default === '' ? (option.defaultMeans ?? 'none') : option.default
}
