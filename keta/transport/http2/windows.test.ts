/** Flow control, budgets and guards by themselves. */
import { expect } from 'chai'
import fc from 'fast-check'
import type { Socket } from 'node:net'
import { FloodGuard } from './flood-guard.ts'
import { Memory } from './memory.ts'
import { Output } from './output.ts'
import { PingPolicy } from './ping-policy.ts'
import { ProtocolError } from './protocol-error.ts'
import { ReceiveBudget } from './receive-budget.ts'
import { Sender, type SendingStream } from './sender.ts'

describe('the sender', () => {
  interface Written extends SendingStream {
    readonly received: number[]
  }

  /** A socket that keeps what it is given, and takes no more than it is told. */
  function fakeSocket(): { socket: Socket; chunks: Buffer[] } {
    const chunks: Buffer[] = []
    const write = (chunk: Buffer): boolean => chunks.push(chunk) > 0
    return {
      socket: { writable: true, write, cork: () => undefined, uncork: () => undefined } as unknown as Socket,
      chunks,
    }
  }

  function streamOf(id: number): Written {
    return { id, sendWindow: 65_535, queue: undefined, received: [], sent: () => undefined }
  }

  it('never goes beyond a window, sends everything in order in the end, and counts what waits', () => {
    const step = fc.oneof(
      fc.record({ message: fc.integer({ min: 0, max: 40_000 }), on: fc.nat(2) }),
      fc.record({ widen: fc.integer({ min: 1, max: 60_000 }), on: fc.nat(2) }),
      fc.record({ widenAll: fc.integer({ min: 1, max: 60_000 }) }),
      fc.record({ initial: fc.integer({ min: 0, max: 100_000 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { socket, chunks } = fakeSocket()
        const share = new Memory(1e9).share(() => undefined)
        const output = new Output(socket, share, () => undefined)
        const sender = new Sender(output, share)
        const streams = [streamOf(1), streamOf(3), streamOf(5)]
        const sent = streams.map(() => [] as Buffer[])
        let [connection, initial] = [65_535, 65_535]
        const windows = streams.map(() => 65_535)
        let fill = 0
        const account = (): void => {
          output.flush()
          for (const { id, payload } of dataFrames(Buffer.concat(chunks.splice(0)))) {
            const index = (id - 1) / 2
            connection -= payload.length
            windows[index]! -= payload.length
            expect(connection).to.be.at.least(0)
            expect(windows[index]).to.be.at.least(0)
            streams[index]!.received.push(...payload)
          }
        }
        for (const one of steps) {
          if ('message' in one) {
            const payload = Buffer.alloc(one.message, fill++)
            sent[one.on]!.push(payload)
            sender.message(streams[one.on]!, payload)
          } else if ('widen' in one) {
            windows[one.on]! += one.widen
            sender.widen(streams[one.on]!, one.widen)
          } else if ('widenAll' in one) {
            connection += one.widenAll
            sender.widenConnection(one.widenAll)
          } else {
            for (const index of windows.keys()) windows[index]! += one.initial - initial
            initial = one.initial
            // A window may become less than nothing by it; no byte is sent then.
            sender.setInitialWindow(initial, streams)
          }
          account()
        }
        for (const [index, stream] of streams.entries()) {
          windows[index]! += 10_000_000
          sender.widen(stream, 10_000_000)
        }
        connection += 30_000_000
        sender.widenConnection(30_000_000)
        for (let rounds = 0; rounds < 50; rounds++) {
          account()
          sender.pump()
        }
        streams.forEach(({ received, queue }, index) => {
          const expected = Buffer.concat(sent[index]!.map(framed))
          expect(Buffer.from(received).equals(expected)).to.equal(true)
          expect(queue).to.equal(undefined)
        })
        expect(sender.unsent).to.equal(0)
      }),
      { numRuns: 60 },
    )
  })
})

describe('the budget of what is received', () => {
  it('grants in the order of asking, passes nobody over, and forgets who has gone', () => {
    const granted: string[] = []
    const budget = new ReceiveBudget(
      100,
      new Memory(1e9).share(() => undefined),
    )
    const ask = (name: string, bytes: number) => {
      const reservation = { bytes, granted: () => granted.push(name) }
      budget.reserve(reservation)
      return reservation
    }
    ask('a', 60)
    const b = ask('b', 60)
    ask('c', 30)
    ask('d', 20)
    expect(granted).to.deep.equal(['a'])
    budget.withdraw(b)
    expect(granted).to.deep.equal(['a', 'c'])
    budget.release(60)
    expect(granted).to.deep.equal(['a', 'c', 'd'])
  })
})

describe('the guard against floods', () => {
  it('allows a burst, forgives with time, and no more than that', () => {
    let now = 0
    const guard = new FloodGuard(100, () => now)
    const spend = (count: number): number => {
      for (let spent = 0; spent < count; spent++) {
        try {
          guard.spend('settings')
        } catch (error) {
          expect((error as ProtocolError).code).to.equal('ENHANCE_YOUR_CALM')
          return spent
        }
      }
      return count
    }
    expect(spend(1000)).to.equal(200)
    now = 10_000
    expect(spend(1000)).to.be.within(98, 101)
    guard.credit('settings', 50)
    expect(spend(1000)).to.be.within(48, 51)
    now = 1_000_000
    expect(spend(1000)).to.be.within(200, 202)
  })
})

describe('the rules of pings', () => {
  const refusedAt = (
    pings: readonly { readonly at: number; readonly hasCalls: boolean; answered?: true }[],
  ): number => {
    let now = 0
    const policy = new PingPolicy(5_000, () => now)
    return pings.findIndex(({ at, hasCalls, answered }) => {
      now = at
      if (answered) policy.answered()
      try {
        policy.ping(hasCalls)
        return false
      } catch (error) {
        expect(error).to.be.instanceOf(ProtocolError).with.property('message', 'too_many_pings')
        return true
      }
    })
  }

  it('are grpc-go’s: the third that comes too early is one too many', () => {
    expect(refusedAt([0, 1, 2, 3].map((at) => ({ at, hasCalls: true })))).to.equal(3)
    expect(refusedAt([0, 5_000, 10_000, 15_000, 20_000].map((at) => ({ at, hasCalls: true })))).to.equal(-1)
  })

  it('want two hours between pings of a connection without calls', () => {
    expect(refusedAt([0, 10_000, 20_000, 30_000].map((at) => ({ at, hasCalls: false })))).to.equal(3)
    expect(refusedAt([0, 7_200_000, 14_400_000, 21_600_000].map((at) => ({ at, hasCalls: false })))).to.equal(-1)
  })

  it('begin anew when the client was sent something', () => {
    const pings = Array.from({ length: 20 }, (_, at) => ({ at, hasCalls: true, answered: true as const }))
    expect(refusedAt(pings)).to.equal(-1)
  })
})

function framed(payload: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(payload.length, 1)
  return Buffer.concat([head, payload])
}

function dataFrames(bytes: Buffer): readonly { readonly id: number; readonly payload: Buffer }[] {
  const frames: { id: number; payload: Buffer }[] = []
  for (let at = 0; at < bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    frames.push({ id: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, at + 9 + bytes.readUIntBE(at, 3)) })
  }
  return frames
}
