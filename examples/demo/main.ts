/** The demo as a program: a story about brokers, on the store of one's choice. */
import { parseArgs } from 'node:util'
import { BACKENDS } from './backends.ts'
import { PageServer } from './page-server.ts'
import { Stage } from './stage.ts'
import { play } from './story.ts'

const HELP = `usage: npm run demo -- [--backend ${Object.keys(BACKENDS).join('|')}] [--ui [--port n]]

Starts a store and three brokers, kills one, brings it back, and shows what stands in the store meanwhile.
--ui serves a page that shows it live, and goes on until Ctrl-C.
exit codes: 0 all was as it should be · 1 it was not · 2 wrong arguments`

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (typeof options === 'string') {
    console.error(options)
    return 2
  }
  if (options.help === true) {
    console.log(HELP)
    return 0
  }
  const start = BACKENDS[options.backend]
  if (start === undefined) {
    console.error(`there is no backend ${options.backend}: ${Object.keys(BACKENDS).join(', ')}`)
    return 2
  }
  await using stage = await Stage.build(start)
  console.log(`The store: ${stage.storeName}`)
  const page = options.ui === true ? new PageServer(stage.plugin) : undefined
  try {
    if (page !== undefined) console.log(`The page: ${await page.listen(Number(options.port))}`)
    const problems = await play(stage, (line) => console.log(line))
    console.log(problems.length === 0 ? '\nAll as it should be.' : `\nNOT as it should be:\n  ${problems.join('\n  ')}`)
    if (page !== undefined) await untilInterrupted()
    return problems.length === 0 ? 0 : 1
  } finally {
    await page?.close()
  }
}

function readOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        backend: { type: 'string', default: 'keta' },
        ui: { type: 'boolean' },
        port: { type: 'string', default: '8080' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${HELP}`
  }
}

function untilInterrupted(): Promise<void> {
  console.log('Ctrl-C ends it.')
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}

process.exitCode = await main(process.argv.slice(2))
