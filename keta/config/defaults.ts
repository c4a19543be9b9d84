/** What an option is that nobody set. */
import type { FileFormat } from './file.ts'
import type { Option } from './option.ts'

/** @param texts of the options that precede it in the table, by flag; one that is missing counts as empty. */
export function defaultOf(
  option: Option<unknown>,
  format: FileFormat | undefined,
  texts: ReadonlyMap<string, string>,
): string {
  const text = format === 'properties' ? (option.propertiesDefault ?? option.default) : option.default
  return text.replace(/\$\{([a-z-]+)\}/g, (_all, flag: string) => texts.get(flag) ?? '')
}
