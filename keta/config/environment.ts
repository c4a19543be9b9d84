/**
 * Reads settings from the environment: KETA_…, and etcd's ETCD_… where the option means the same. An empty value is as
 * none.
 */
import { findForeign } from './foreign-options.ts'
import { nearest } from './nearest.ts'
import { allOptions, environmentNames } from './options.ts'
import type { Reading, Setting } from './setting.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Names of the file option, the first that is set counts. */
export const CONFIG_FILE_VARIABLES: readonly string[] = ['KETA_CONFIG_FILE', 'ETCD_CONFIG_FILE']

/** Variables that Kubernetes sets in every pod beside a service called "keta". */
const OF_A_SERVICE = /^KETA_(SERVICE_|PORT)/

export function configFileOf(environment: Environment): string | undefined {
  return CONFIG_FILE_VARIABLES.map((name) => environment[name]).find((value) => value !== undefined && value !== '')
}

export function readEnvironment(environment: Environment): Reading {
  const settings: Setting[] = []
  const known = new Set(CONFIG_FILE_VARIABLES)
  for (const [, option] of allOptions()) {
    const names = environmentNames(option)
    for (const name of names) known.add(name)
    const where = names.find((name) => (environment[name] ?? '') !== '')
    if (where !== undefined) settings.push({ name: option.flag, value: environment[where] ?? '', source: 'env', where })
  }
  const warnings: string[] = []
  for (const [where, value] of Object.entries(environment)) {
    if (known.has(where) || value === undefined || value === '') continue
    const name = where
      .replace(/^ETCD_/, '')
      .toLowerCase()
      .replaceAll('_', '-')
    if (where.startsWith('ETCD_') && findForeign(name) !== undefined) {
      settings.push({ name, value, source: 'env', where })
    } else if (where.startsWith('KETA_') && !OF_A_SERVICE.test(where)) {
      const meant = nearest(where, [...known])
      warnings.push(`${where} is not a variable of this server${meant === undefined ? '' : `; did you mean ${meant}?`}`)
    }
  }
  return { settings, problems: [], warnings }
}
