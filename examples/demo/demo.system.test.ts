/** The demo as people start it. */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BACKENDS } from './backends.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const run = promisify(execFile)
const demo = (...args: readonly string[]) =>
  run(process.execPath, ['--import', 'tsx', MAIN, ...args], { timeout: 290_000 }).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: unknown) => error as { readonly code: number; readonly stdout: string },
  )

describe('the demo', function () {
  this.timeout(300_000)

  for (const backend of Object.keys(BACKENDS)) {
    it(`comes to its good end on ${backend}`, async () => {
      const { code, stdout } = await demo('--backend', backend)
      expect(stdout).to.include('{"controller_epoch":2,"leader":1,"version":1,"leader_epoch":1,"isr":[1,2,0]}')
      expect(stdout).to.include('consumed: welcome kafka on etcd good you are here again')
      expect(stdout.trimEnd().endsWith('All as it should be.'), stdout).to.equal(true)
      expect(code).to.equal(0)
    })
  }

  it('says what it can, and refuses what it cannot', async () => {
    expect(await demo('--help')).to.have.property('code', 0)
    expect(await demo('--backend', 'paper')).to.have.property('code', 2)
    expect(await demo('--nonsense')).to.have.property('code', 2)
  })
})
