/**
 * Mocha's spec reporter, which also names skipped tests loudly at the end and, if the environment variable KETA_TALLY
 * names a file, appends the run's numbers to it as a line of JSON.
 */
import { appendFileSync } from 'node:fs'
import Mocha from 'mocha'

export default class KetaReporter extends Mocha.reporters.Spec {
  /**
   * @param {Mocha.Runner} runner
   * @param {Mocha.MochaOptions} options
   */
  constructor(runner, options) {
    super(runner, options)
    /** @type {string[]} */
    const skipped = []
    runner.on('pending', (test) => skipped.push(test.fullTitle()))
    runner.once('end', () => {
      const { passes = 0, failures = 0 } = runner.stats ?? {}
      if (skipped.length > 0) {
        console.log(
          `  SKIPPED, NOT TESTED (${skipped.length}):\n${skipped.map((name) => `    - ${name}`).join('\n')}\n`,
        )
      }
      const tally = process.env['KETA_TALLY']
      if (tally) appendFileSync(tally, `${JSON.stringify({ passed: passes, failed: failures })}\n`)
    })
  }
}
