/** Where syncs run, on a disk whose speed the test sets. */
import { expect } from 'chai'
import type { DiskFile } from './disk.ts'
import { Syncer } from './syncer.ts'

class Stopwatch {
  syncMs = 0.1
  now = 0
  readonly places: ('pool' | 'here')[] = []
  readonly file: DiskFile = {
    path: 'f',
    size: () => Promise.resolve(0),
    read: () => Promise.resolve(0),
    write: () => Promise.resolve(0),
    writeNow: () => 0,
    datasync: () => {
      this.#took('pool')
      return Promise.resolve()
    },
    datasyncNow: () => {
      this.#took('here')
    },
    truncate: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
  readonly #syncer = new Syncer(() => this.now)

  async sync(times: number): Promise<readonly string[]> {
    this.places.length = 0
    for (let i = 0; i < times; i++) await this.#syncer.sync(this.file)
    return this.places
  }

  #took(place: 'pool' | 'here'): void {
    this.places.push(place)
    this.now += this.syncMs
  }
}

describe('syncer', () => {
  it('begins in the pool and comes to the calling thread once the disk has shown that it is fast', async () => {
    const disk = new Stopwatch()
    const places = await disk.sync(100)
    expect(places[0]).to.equal('pool')
    expect(places.at(-1)).to.equal('here')
    expect(places.lastIndexOf('pool')).to.be.lessThan(50)
  })

  it('stays in the pool on a slow disk', async () => {
    const disk = new Stopwatch()
    disk.syncMs = 5
    expect(await disk.sync(1000)).to.not.include('here')
  })

  it('goes back to the pool after one stall, for a while', async () => {
    const disk = new Stopwatch()
    await disk.sync(100)
    disk.syncMs = 20
    expect(await disk.sync(1)).to.deep.equal(['here'])
    disk.syncMs = 0.1
    expect(await disk.sync(200)).to.not.include('here')
    expect(await disk.sync(400)).to.include('here')
  })
})
