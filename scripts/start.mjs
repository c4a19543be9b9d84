/**
 * `npm start [-- flags]`: sets the clone up, then serves. The server runs in this very process, so that signals, the
 * terminal and the exit code are its own, and nothing can be left behind when this process ends.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT, setUpOrExit } from './setup.mjs'

setUpOrExit({ build: true })

const program = join(ROOT, 'dist/keta/bin/keta.js')
process.argv[1] = program
await import(pathToFileURL(program).href)
