/**
 * Measures the SPI on each backend, beside the backend's bare driver, and writes docs/benchmarks-spi.md.
 *
 * npm run bench:spi [-- --backends memory,etcd] [--calls N] [--rounds N] [--output FILE]
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { measureLatency } from './latency.ts'
import { report, type Result } from './report.ts'
import { type Subject, SUBJECTS } from './subjects.ts'
import { measureTakeover, open } from './takeover.ts'

const { values } = parseArgs({
  options: {
    backends: { type: 'string', default: Object.keys(SUBJECTS).join(',') },
    calls: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
    output: { type: 'string', default: fileURLToPath(new URL('../../docs/benchmarks-spi.md', import.meta.url)) },
  },
})

const results: Result[] = []
for (const name of values.backends.split(',')) {
  const start = SUBJECTS[name]
  if (start === undefined) throw new Error(`--backends: ${name}; known are ${Object.keys(SUBJECTS).join(', ')}`)
  const subject = await start()
  try {
    results.push(await measure(subject))
  } finally {
    await subject.stop()
  }
  process.stderr.write(`${name}: measured\n`)
}
writeFileSync(values.output, report(results, `${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}`))
process.stderr.write(`wrote ${values.output}\n`)

async function measure(subject: Subject): Promise<Result> {
  await using locator = await open(subject)
  const latency = await measureLatency(locator, subject.raw, Number(values.calls))
  return { name: subject.name, latency, takeover: await measureTakeover(subject, Number(values.rounds)) }
}
