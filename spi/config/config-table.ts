/** The documentation of a plugin's properties, from the table that checks them. */
import { type ConfigDef, isSecret } from './config-def.ts'
import { HIDDEN } from './secret.ts'

/** A Markdown table, one row per property in the table's order. */
export function configTable(def: ConfigDef): string {
  const rows = Object.entries(def).map(([name, item]) => {
    const doc = item.aliases?.length ? `${item.doc} Also: ${item.aliases.map(code).join(', ')}.` : item.doc
    return [code(name), item.type, defaultOf(item), cell(doc)]
  })
  return [['Property', 'Type', 'Default', 'Meaning'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('')
}

function defaultOf(item: ConfigDef[string]): string {
  if (item.default === undefined) return '**required**'
  if (item.default === null) return 'none'
  if (isSecret(item)) return HIDDEN
  return item.default === '' ? 'empty' : code(item.default)
}

function code(text: string): string {
  return `\`${cell(text)}\``
}

/** A cell must not end early. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s*\n\s*/g, ' ')
}
