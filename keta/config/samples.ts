/**
 * The sample files config/keta.properties and config/keta.yaml, from the option table: every option, commented out at
 * its default.
 */
import { defaultText } from './help.ts'
import { type Option, propertyName } from './option.ts'
import { allOptions } from './options.ts'
import { wrap } from './wrap.ts'

const WIDTH = 98

const PROPERTIES_HEAD = `# Configuration of Keta: bin/keta-start config/keta.properties
# Every option stands here; those that are commented out show their default. Names as in Java Keta's files work too.
`

const YAML_HEAD = `# Configuration of Keta: bin/keta-start config/keta.yaml
# Every option stands here, with its default.
`

/** Java Keta's way: `listeners` is set, on every interface as its own sample does. */
export function sampleProperties(): string {
  let text = PROPERTIES_HEAD
  text += sections((option) => {
    const name = propertyName(option)
    const value = option.propertiesDefault ?? option.default
    return `${comment(option)}${option.property === 'listeners' ? '' : '#'}${name}=${value}\n`
  })
  return text
}

export function sampleYaml(): string {
  return YAML_HEAD + sections((option) => `${comment(option)}#${option.flag}: ${yamlValue(option.default)}\n`)
}

function sections(render: (option: Option<unknown>) => string): string {
  let text = ''
  let section = ''
  for (const [, option] of allOptions()) {
    text += option.section === section ? '\n' : `\n# ${option.section}\n\n`
    section = option.section
    text += render(option)
  }
  return text
}

function comment(option: Option<unknown>): string {
  const means = option.default === '' ? ` Default: ${defaultText(option)}.` : ''
  return wrap(option.help + means, WIDTH)
    .map((line) => `# ${line}\n`)
    .join('')
}

function yamlValue(text: string): string {
  return text === '' || /^\*|[#{}]/.test(text) ? JSON.stringify(text) : text
}
