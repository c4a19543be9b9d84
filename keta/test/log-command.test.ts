/** `keta log` on the data directory of a real server. */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { connectTo } from './differential/connection.ts'
import { runKeta } from './keta-process.ts'
import { kill, serve, temporaryDirectory } from './served.fixture.ts'

describe('keta log', function () {
  this.timeout(120_000)
  const directory = join(temporaryDirectory('log-command'), 'data')
  const run = (...words: string[]) => runKeta(['log', ...words, '--data-dir', directory])

  before(async () => {
    const { process, endpoint } = await serve(directory)
    const connection = connectTo('keta', endpoint)
    const request = Buffer.concat([
      Buffer.from([0x0a, 3]),
      Buffer.from('a"\xff', 'latin1'),
      Buffer.from([0x12, 6]),
      Buffer.from('secret'),
    ])
    for (let i = 0; i < 3; i++) {
      const answer = await connection.unary('/etcdserverpb.KV/Put', request)
      expect(answer.ok).to.equal(true)
    }
    const locked = await run('verify')
    expect(locked.code).to.equal(1)
    expect(locked.stderr).to.match(/process/)
    connection.close()
    await kill(process)
  })

  it('dumps the records with what they are about, and without values', async () => {
    const { code, stdout } = await run('dump')
    expect(code).to.equal(0)
    const lines = stdout.trimEnd().split('\n')
    expect(lines[0]).to.match(/^ {7}0 {2}1\.0 {2}claim {2}member [0-9a-f]+ http:/)
    expect(lines.slice(1, 4)).to.deep.equal(
      [1, 2, 3].map((n) => `${String(n).padStart(8)}  1.${n}  put  "a\\x22\\xff" value of 6 bytes`),
    )
    expect(stdout).to.not.include('secret')
    const [last] = (await run('tail', '-n', '1', '--json')).stdout.trimEnd().split('\n')
    expect(JSON.parse(last ?? '')).to.include({ offset: 3, epoch: 1, seq: 3, kind: 'put' })
    expect((await run('dump', '--from', '3')).stdout.trimEnd().split('\n')).to.have.length(1)
  })

  it('finds a sound log sound, tells of an unfinished write, and changes nothing', async () => {
    const sound = await run('verify', '--json')
    expect(sound.code).to.equal(0)
    expect(JSON.parse(sound.stdout)).to.include({ startOffset: 0, endOffset: 4, records: 4, ignored: 0, revision: 4 })
    const [segment = ''] = readdirSync(join(directory, 'log')).filter((name) => name.endsWith('.log'))
    const path = join(directory, 'log', segment)
    const bytes = readFileSync(path)
    appendFileSync(path, Buffer.from([0xfa, 0x5e, 0xb1, 0x0c, 9, 9]))
    const torn = await run('verify')
    expect(torn).to.include({ code: 0 })
    expect(readFileSync(path)).to.have.length(bytes.length + 6)
    writeFileSync(path, bytes)
  })

  it('finds a changed byte, and says where', async () => {
    const [segment = ''] = readdirSync(join(directory, 'log')).filter((name) => name.endsWith('.log'))
    const path = join(directory, 'log', segment)
    const bytes = readFileSync(path)
    const at = bytes.indexOf('secret')
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 1
    writeFileSync(path, changed)
    const { code, stderr } = await run('verify')
    writeFileSync(path, bytes)
    expect(code).to.equal(1)
    expect(stderr).to.include(segment)
  })

  it('is refused without a data directory, and with words that it does not know', async () => {
    const wrong = [['log'], ['log', 'dump'], ['log', 'steal', '--data-dir', directory], ['log', 'dump', '--x']]
    const outcomes = await Promise.all(wrong.map((words) => runKeta(words)))
    expect(outcomes.map(({ code }) => code)).to.deep.equal([2, 2, 2, 2])
    expect((await runKeta(['log', 'verify', '--data-dir', '/nowhere'])).code).to.equal(1)
  })
})
