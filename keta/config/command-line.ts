/**
 * Reads the command line: what to do, and which settings it gives. Go's spellings work: -name, --name, --name=value,
 * --name value.
 */
import { formatOf } from './file.ts'
import { findForeign } from './foreign-options.ts'
import { nearest } from './nearest.ts'
import { allOptions, CONFIG_FILE_FLAGS } from './options.ts'
import type { Problem, Reading, Setting } from './setting.ts'

export type CommandName = 'serve' | 'check' | 'help' | 'version'

const COMMANDS: readonly CommandName[] = ['serve', 'check', 'help', 'version']

export interface CommandLine extends Reading {
  readonly command: CommandName
  /** The configuration file, if one is named. */
  readonly file: string | undefined
}

/**
 * @param words what follows the program's name. The first that is neither flag nor file is the command; none means
 * `serve`.
 */
export function readCommandLine(words: readonly string[]): CommandLine {
  const settings: Setting[] = []
  const problems: Problem[] = []
  let command: CommandName | undefined
  let file: string | undefined

  function nameFile(path: string): void {
    if (file !== undefined && file !== path) problems.push(`${path}: a configuration file is named already: ${file}`)
    file = path
  }

  function positional(word: string): void {
    if (formatOf(word) !== undefined) {
      nameFile(word)
      return
    }
    const known = COMMANDS.find((candidate) => candidate === word)
    if (known === undefined) problems.push(unexpected(word))
    else if (command !== undefined) problems.push(`${word}: a command is given already: ${command}`)
    else command = known
  }

  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? ''
    const [, name, assigned] = /^--?([A-Za-z][^=]*)(?:=(.*))?$/s.exec(word) ?? []
    if (name === undefined) {
      positional(word)
      continue
    }
    if (assigned === undefined && (name === 'help' || name === 'h')) command = 'help'
    else if (assigned === undefined && name === 'version') command = command === 'help' ? command : 'version'
    else {
      const where = `--${name}`
      const value = assigned ?? (takesValue(name, words[index + 1]) ? words[++index] : 'true')
      if (value === undefined) problems.push(`${where}: the value is missing`)
      else if (CONFIG_FILE_FLAGS.includes(name)) nameFile(value)
      else settings.push({ name, value, source: 'flag', where })
    }
  }
  return { command: command ?? 'serve', file, settings, problems, warnings: [] }
}

/** An unknown flag takes what looks like its value, and never the next flag: that one is to be judged too. */
function takesValue(name: string, next: string | undefined): boolean {
  const foreign = findForeign(name)
  if (foreign !== undefined) return foreign.boolean !== true
  if (allOptions().some(([, { flag, isSwitch }]) => flag === name && isSwitch === true)) return false
  const flags = allOptions().flatMap(([, { flag, flagAliases = [] }]) => [flag, ...flagAliases])
  return [...flags, ...CONFIG_FILE_FLAGS].includes(name) || (next !== undefined && !next.startsWith('-'))
}

function unexpected(word: string): Problem {
  const meant = nearest(word, COMMANDS)
  const hint = meant === undefined ? `commands are ${COMMANDS.join(', ')}` : `did you mean ${meant}?`
  return `${word}: unexpected argument; ${hint}`
}
