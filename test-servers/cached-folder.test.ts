/** Folders in the cache: made once, made again when their stamp is another, and never seen half made. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ensureFolder } from './cached-folder.ts'

describe('a folder in the cache', () => {
  const name = `cached-folder-test-${process.pid}`
  let made: number
  let folder: string

  const ensure = (stamp: string): Promise<string> =>
    ensureFolder({
      name,
      stamp,
      make: async (fresh) => {
        made++
        await Promise.resolve()
        writeFileSync(join(fresh, `${stamp}.txt`), stamp)
      },
    })

  beforeEach(async () => {
    made = 0
    folder = await ensure('one')
  })

  afterEach(() => rmSync(folder, { recursive: true }))

  it('is made once, also when several want it at the same time', async () => {
    expect(await Promise.all([ensure('one'), ensure('one')])).to.deep.equal([folder, folder])
    expect(made).to.equal(1)
    await Promise.all([ensure('two'), ensure('two')])
    expect(made).to.equal(2)
  })

  it('is made anew, and nothing of the old one stays, when its stamp is another', async () => {
    expect(await ensure('two')).to.equal(folder)
    expect(readdirSync(folder).sort()).to.deep.equal(['built-from', 'two.txt'])
  })

  it('stays as it was when making it anew fails, and nothing else is left', async () => {
    const failing = ensureFolder({ name, stamp: 'two', make: () => Promise.reject(new Error('no compiler')) })
    expect(await failing.catch((error: unknown) => (error as Error).message)).to.equal('no compiler')
    expect(readFileSync(join(folder, 'one.txt'), 'utf8')).to.equal('one')
    expect(existsSync(`${folder}.new`) || existsSync(`${folder}.lock`)).to.equal(false)
    await ensure('one')
    expect(made).to.equal(1)
  })
})
