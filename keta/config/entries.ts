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
  for (const prefix of prefixesOf(format)) {
    const isEntry = ({ source, name }: Setting) => source === 'file' && name.startsWith(prefix) && name !== `${prefix}*`
    const entries = gathered.filter(isEntry)
    const [first] = entries
    if (first === undefined) continue
    const value = formatEntries(entries.map((entry) => [entry.name.slice(prefix.length), entry.value]))
    const whole: Setting = { ...first, name: `${prefix}*`, value }
    gathered = gathered.flatMap((setting) => (setting === first ? [whole] : isEntry(setting) ? [] : [setting]))
  }
  return gathered
}

function prefixesOf(format: FileFormat | undefined): readonly string[] {
  return allOptions().flatMap(([, { flag, property }]) => {
    if (property?.endsWith('.*') !== true) return []
    return format === 'properties' ? [`${flag}.`, property.slice(0, -1)] : [`${flag}.`]
  })
}
