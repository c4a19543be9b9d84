/** `npm start [-- flags]`: sets the clone up, then serves. Signals reach the server, its exit code is this one's. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ROOT, setUpOrExit } from './setup.mjs'

setUpOrExit({ build: true })

const server = spawn(process.execPath, [join(ROOT, 'dist/keta/bin/keta.js'), ...process.argv.slice(2)], {
  stdio: 'inherit',
})

// From a terminal, Ctrl-C reaches the whole process group: the server has had its SIGINT, and a second one would cut its
// orderly stop short. Only signals that were sent to this process alone are passed on.
process.on('SIGINT', () => {
  if (!process.stdin.isTTY) server.kill('SIGINT')
})
for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => server.kill(signal))
}

server.on('error', (error) => {
  console.error(`keta: cannot start the server: ${error.message}`)
  process.exitCode = 1
})
server.on('exit', (code, signal) => {
  if (signal === null) {
    process.exitCode = code ?? 1
  } else {
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }
})
