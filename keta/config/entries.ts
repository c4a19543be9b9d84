/** Options that are maps: in a file each entry may stand by itself. */
import type { FileFormat } from './file.ts'
import { formatEntries } from './kafka-values.ts'
import { allOptions } from './options.ts'
import type { Setting } from './setting.ts'

/**
 * Puts the entries of each map together into one setting, where the first of them stands:
 * `kafkacache.topic.config.segment.bytes=1` becomes `kafkacache.topic.config.*` with the value "segment.bytes=1".
 */
export function gatherEntries(settings: readonly Setting[], format: FileFormat | undefined): readonly Setting[] {
  let gathered = settings
  for (const { prefix, name } of mapsOf(format)) {
    const isEntry = (setting: Setting): boolean => setting.source === 'file' && setting.name.startsWith(prefix)
    const entries = gathered.filter(isEntry)
    const [first] = entries
    if (first === undefined) continue
    const value = formatEntries(entries.map((entry) => [entry.name.slice(prefix.length), entry.value]))
    const whole: Setting = { ...first, name, value }
    gathered = gathered.flatMap((setting) => (setting === first ? [whole] : isEntry(setting) ? [] : [setting]))
  }
  return gathered
}

/** What the names of entries begin with, and the name of the whole map. */
function mapsOf(format: FileFormat | undefined): readonly { readonly prefix: string; readonly name: string }[] {
  return allOptions().flatMap(([, { flag, property }]) => {
    if (property?.endsWith('.*') !== true) return []
    const own = { prefix: `${flag}.`, name: flag }
    return format === 'properties' ? [own, { prefix: property.slice(0, -1), name: property }] : [own]
  })
}
