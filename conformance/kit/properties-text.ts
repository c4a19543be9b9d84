/** Writes Java `.properties` text, for the files that clients of the suite are loaded from. */

/** UTF-8 text that reads back as the same names and values. */
export function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(
      ([name, value]) => `${escapeText(name).replace(/[ =:#!]/g, '\\$&')}=${escapeText(value).replace(/^ /, '\\ ')}\n`,
    )
    .join('')
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\f': '\\f',
}

function escapeText(text: string): string {
  return text.replace(/[\\\t\n\r\f]/g, (character) => ESCAPES[character] ?? character)
}
