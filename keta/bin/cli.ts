/** The commands of the executable: help, version, check, serve – and those that are programs of their own. */
import type { Environment } from '../config/environment.ts'
import { helpText } from '../config/help.ts'
import { type EffectiveOption, readInvocation } from '../config/resolve.ts'
import { say, USAGE } from './outcome.ts'
import { serve } from './serve.ts'
import { versionText } from './version.ts'

/** Resolves to the exit code. */
export async function runCommand(words: readonly string[], environment: Environment): Promise<number> {
  if (words[0] === 'conformance') {
    // it brings its own packages, which a server does without
    const { conformanceCommand } = await import('../../conformance/cli.ts')
    return conformanceCommand(words.slice(1))
  }
  if (words[0] === 'snapshot') {
    const { snapshotCommand } = await import('./snapshot/command.ts')
    return snapshotCommand(words.slice(1))
  }
  if (words[0] === 'log') {
    const { logCommand } = await import('./log/command.ts')
    return logCommand(words.slice(1), environment)
  }
  const { command, resolved, problems, warnings } = readInvocation(words, environment)
  if (command === 'help') return say(helpText())
  if (command === 'version') return say(`${versionText()}\n`)
  if (resolved === undefined) {
    process.stderr.write([...problems, ...warnings].map((line) => `keta: ${line}\n`).join(''))
    return USAGE
  }
  if (command === 'serve') return serve(resolved)
  process.stderr.write(warnings.map((line) => `keta: ${line}\n`).join(''))
  return say(effectiveText(resolved.effective))
}

/** One line per option: name, value, source. */
function effectiveText(effective: readonly EffectiveOption[]): string {
  const flagWidth = Math.max(...effective.map(({ flag }) => flag.length))
  const valueWidth = Math.max(...effective.map(({ value }) => value.length))
  return effective
    .map(({ flag, value, source }) => `${flag.padEnd(flagWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`)
    .join('')
}
