import { expect } from 'chai'
import { systemClock } from '../../spi/index.ts'
import { call, failureOf, reading } from '../shared/driver-calls.fixture.ts'
import { holder } from '../shared/driver-suite.ts'
import { openSession } from './change.ts'
import { Committer } from './committer.ts'
import { FakeTables } from './fake-tables.fixture.ts'
import { Reader } from './reader.ts'
import { seatsOf } from './seats.ts'
import type { Tables } from './tables.ts'

const SEAT = { kind: 'leader', service: 'controller' } as const

describe('the seats in Cassandra', () => {
  it('that were found empty are not taken by a request that arrives after that', async () => {
    const tables = new FakeTables()
    const committer = new Committer(tables as unknown as Tables, { clock: systemClock, random: () => 0 })
    const seats = seatsOf(committer, new Reader(tables))
    await committer.submit(openSession('s', 1000, []), call())
    tables.next = 'late'
    expect(await failureOf(seats.takeSeat(SEAT, holder('a', 's'), call()))).to.include({ effect: 'unknown' })
    expect(await seats.readSeat(SEAT, reading())).to.equal(undefined)
    expect(tables.arrive(), 'whether it takes effect all the same').to.equal(false)
    expect(await seats.readSeat(SEAT, reading())).to.equal(undefined)
  })
})
