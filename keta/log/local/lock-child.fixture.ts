/** A process for data-dir.test.ts: waits for a line on stdin, opens the data directory, says what came of it, stays. */
import { LogError } from '../log.ts'
import { openDataDir } from './data-dir.ts'

const [directory = ''] = process.argv.slice(2)
process.stdout.write('ready\n')
process.stdin.once('data', () => {
  try {
    openDataDir(directory)
    process.stdout.write('locked\n')
  } catch (error) {
    process.stdout.write(`${error instanceof LogError ? error.code : String(error)}\n`)
  }
})
