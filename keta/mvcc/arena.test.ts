import { expect } from 'chai'
import { Arena, type Chunk } from './arena.ts'

describe('Arena', () => {
  it('has a small chunk from the beginning', () => {
    expect(new Arena().allocatedBytes).to.equal(64 * 1024)
    expect(new Arena().liveBytes).to.equal(0)
  })

  it('puts allocations one behind the other and never overlaps them', () => {
    const arena = new Arena(1024)
    const taken = new Map<Chunk, number>()
    for (let length = 0; length < 400; length++) {
      const chunk = arena.allocate(length)
      expect(chunk.used - length).to.equal(taken.get(chunk) ?? 0)
      expect(chunk.used).to.be.at.most(chunk.bytes.length)
      taken.set(chunk, chunk.used)
    }
  })

  it('doubles its memory with each chunk, up to the full-grown size', () => {
    const arena = new Arena()
    const sizes: number[] = []
    let last: Chunk | undefined
    while (sizes.length < 7) {
      const chunk = arena.allocate(10_000)
      if (chunk !== last) sizes.push(chunk.bytes.length / 1024)
      last = chunk
    }
    expect(sizes).to.deep.equal([64, 64, 128, 256, 512, 1024, 1024])
  })

  it('gives a large value a chunk of its own, and goes on with the open one', () => {
    const arena = new Arena(1024)
    const open = arena.allocate(900)
    const own = arena.allocate(300)
    expect(own).not.to.equal(open)
    expect(own.bytes).to.have.lengthOf(300)
    expect(arena.allocate(100)).to.equal(open)
    expect(arena.allocatedBytes).to.equal(1324)
  })

  it('drops a chunk when nothing in it is alive, unless it is open', () => {
    const arena = new Arena(1000)
    const first = arena.allocate(900)
    const second = arena.allocate(200)
    expect(arena.allocatedBytes).to.equal(2000)
    arena.release(second, 200)
    expect(arena.allocatedBytes).to.equal(2000)
    arena.release(first, 900)
    expect(arena.allocatedBytes).to.equal(1000)
    expect(arena.liveBytes).to.equal(0)
  })

  it('drops a chunk that died while it was open as soon as it is closed', () => {
    const arena = new Arena(1000)
    arena.release(arena.allocate(900), 900)
    arena.allocate(200)
    expect(arena.allocatedBytes).to.equal(1000)
  })

  it('calls a chunk sparse when less than three quarters of it live', () => {
    const arena = new Arena(1000)
    const chunk = arena.allocate(800)
    expect(arena.isSparse(chunk)).to.equal(false)
    arena.allocate(240)
    expect(arena.isSparse(chunk)).to.equal(false)
    arena.release(chunk, 51)
    expect(arena.isSparse(chunk)).to.equal(true)
  })

  it('counts adopted chunks', () => {
    const arena = new Arena(1000)
    const chunk = arena.adopt(Buffer.alloc(500))
    arena.claim(chunk, 300)
    expect([arena.allocatedBytes, arena.liveBytes]).to.deep.equal([1500, 300])
    arena.release(chunk, 300)
    expect([arena.allocatedBytes, arena.liveBytes]).to.deep.equal([1000, 0])
  })

  it('refuses to release more than was allocated', () => {
    const arena = new Arena(1000)
    const chunk = arena.allocate(10)
    expect(() => {
      arena.release(chunk, 11)
    }).to.throw('released 11 bytes of a chunk that held 10')
  })
})
