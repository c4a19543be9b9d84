/** Zeros ahead of the end: where they go, and that nothing is written beneath them. */
import { expect } from 'chai'
import type { DiskFile } from './disk.ts'
import { Preallocation } from './preallocation.ts'

class HeldFile implements DiskFile {
  readonly path = 'f'
  readonly writes: { position: number; length: number }[] = []
  readonly #finish: ((error?: Error) => void)[] = []

  write(bytes: Uint8Array, position: number): Promise<number> {
    this.writes.push({ position, length: bytes.length })
    return new Promise((resolve, reject) => {
      this.#finish.push((error) => {
        if (error === undefined) resolve(bytes.length)
        else reject(error)
      })
    })
  }

  async finishWrites(error?: Error): Promise<void> {
    for (const finish of this.#finish.splice(0)) finish(error)
    await turn()
  }

  size = (): Promise<number> => Promise.resolve(0)
  read = (): Promise<number> => Promise.resolve(0)
  writeNow = (): number => 0
  datasync = (): Promise<void> => Promise.resolve()
  datasyncNow = (): void => undefined
  truncate = (): Promise<void> => Promise.resolve()
  close = (): Promise<void> => Promise.resolve()
}

/** Whatever was waiting for the writes has gone on. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

describe('preallocation', () => {
  it('writes zeros behind what is there when less than half a step is left, one step at a time', async () => {
    const file = new HeldFile()
    const ahead = new Preallocation(file, 100, 1000, 10_000)
    ahead.advance(150)
    ahead.advance(180)
    expect(file.writes).to.deep.equal([{ position: 180 - 30, length: 1000 }])
    await file.finishWrites()
    ahead.advance(640)
    expect(file.writes).to.have.length(1)
    ahead.advance(660)
    expect(file.writes[1]).to.deep.equal({ position: 1150, length: 1000 })
  })

  it('lets a frame that reaches beyond the allocated part wait for zeros under way, and no other', async () => {
    const file = new HeldFile()
    const ahead = new Preallocation(file, 1000, 1000, 10_000)
    ahead.advance(600)
    expect(ahead.busyBelow(1000)).to.equal(undefined)
    let free = false
    const waiting = ahead.busyBelow(1001)?.then(() => (free = true))
    await turn()
    expect(free).to.equal(false)
    await file.finishWrites()
    await waiting
    expect(free).to.equal(true)
    expect(ahead.busyBelow(9000)).to.equal(undefined)
  })

  it('stops at the size of a full segment, and after a write that failed', async () => {
    const file = new HeldFile()
    new Preallocation(file, 10_000, 1000, 10_000).advance(9900)
    expect(file.writes).to.deep.equal([])
    const failing = new Preallocation(file, 0, 1000, 10_000)
    failing.advance(1)
    await file.finishWrites(new Error('full'))
    failing.advance(2)
    expect(file.writes).to.have.length(1)
    await failing.stop()
  })
})
