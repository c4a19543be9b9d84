/** The broker as a program: `broker <server.properties>`. */
import { configTable, isCoordinationError, type Logger } from 'keta/spi'
import { SERVER_PROPERTIES } from 'keta/spi/node'
import { startBroker } from './broker.ts'
import { BROKER_CONFIG } from './config.ts'
import { isBrokerError, messageOf } from './errors.ts'

const HELP = `usage: npm run broker -- <server.properties>

Runs a broker until it gets SIGTERM or SIGINT; then others lead instead of it before it ends. SIGINT twice ends it at once.

exit codes: 0 stopped in order · 1 a failure · 2 wrong arguments or configuration · 3 the id or the log folder is in use

${configTable({ ...BROKER_CONFIG, ...SERVER_PROPERTIES })}`

const EXIT = { failure: 1, wrong: 2, inUse: 3 } as const

async function main(args: readonly string[]): Promise<number> {
  const [file, ...others] = args
  if (file === '--help' || file === '-h') {
    console.log(HELP)
    return 0
  }
  if (file === undefined || file.startsWith('-') || others.length > 0) {
    console.error('usage: npm run broker -- <server.properties>   (--help says more)')
    return EXIT.wrong
  }
  const stopped = untilSignal()
  try {
    const broker = await startBroker(file, { logger })
    // whoever started this process waits for that line
    console.log(`broker ${broker.id} listens on ${broker.address.host}:${broker.address.port}`)
    await stopped
    await broker.stop()
    return 0
  } catch (error) {
    console.error(messageOf(error))
    if (isCoordinationError(error, 'CONFIG')) return EXIT.wrong
    return isCoordinationError(error, 'MEMBER_EXISTS') || isBrokerError(error, 'LOG_DIR') ? EXIT.inUse : EXIT.failure
  }
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve)
    process.once('SIGINT', () => {
      process.once('SIGINT', () => process.exit(EXIT.failure))
      resolve()
    })
  })
}

const print = (level: string) => (message: string) => console.error(`${new Date().toISOString()} ${level} ${message}`)
const logger: Logger = { debug: () => undefined, info: print('info'), warn: print('warn'), error: print('error') }

process.exitCode = await main(process.argv.slice(2))
