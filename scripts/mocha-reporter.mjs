/**
 * Mocha's spec reporter, which also names skipped tests loudly at the end, and says which suites of a long run took the
 * most time. If the environment variable KETA_TALLY names a file, the run's outcome is appended to it, a line of JSON.
 */
import { appendFileSync } from 'node:fs'
import Mocha from 'mocha'

/** A run is long from here on, seconds; and so many suites are named. */
const LONG_RUN = 60
const NAMED_SUITES = 20

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
    /** @type {string[]} */
    const failed = []
    runner.on('fail', (test, error) => failed.push(`${test.fullTitle()}: ${error.message}`))
    /** @type {Map<string, number>} */
    const seconds = new Map()
    let begun = performance.now()
    runner.on('suite end', ({ title, parent }) => {
      if (!parent?.root) return
      const now = performance.now()
      seconds.set(title, (seconds.get(title) ?? 0) + (now - begun) / 1000)
      begun = now
    })
    runner.once('end', () => {
      const { passes = 0 } = runner.stats ?? {}
      if (skipped.length > 0) {
        console.log(
          `  SKIPPED, NOT TESTED (${skipped.length}):\n${skipped.map((name) => `    - ${name}`).join('\n')}\n`,
        )
      }
      const longest = [...seconds].sort(([, a], [, b]) => b - a)
      if (longest.reduce((sum, [, took]) => sum + took, 0) >= LONG_RUN) {
        const lines = longest
          .slice(0, NAMED_SUITES)
          .map(([title, took]) => `    ${took.toFixed(0).padStart(5)} s  ${title}`)
        console.log(`  Where the time went:\n${lines.join('\n')}\n`)
      }
      const tally = process.env['KETA_TALLY']
      if (tally) appendFileSync(tally, `${JSON.stringify({ passed: passes, failed })}\n`)
    })
  }
}
