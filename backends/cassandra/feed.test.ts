import { expect } from 'chai'
import { type Clock, systemClock } from '../../spi/index.ts'
import { CompactedError } from '../shared/follow-by-revision.ts'
import { until } from '../shared/driver-calls.fixture.ts'
import { FakeTables } from './fake-tables.fixture.ts'
import { Feed } from './feed.ts'
import { changeAt, type Place, placeText, REMEMBERED_CHANGES, valueAt } from './layout.ts'

describe('the feed', () => {
  let tables: FakeTables
  let feed: Feed
  let lines: string[]
  let end: AbortController
  /** That have not run. */
  let timers: number

  const counted: Clock = {
    now: () => systemClock.now(),
    setTimeout(run, ms) {
      timers++
      return systemClock.setTimeout(() => {
        timers--
        run()
      }, ms)
    },
  }

  const bytes = (text: string) => new TextEncoder().encode(text)
  const text = (data: Uint8Array | undefined) => new TextDecoder().decode(data)
  /** Each place becomes the text; undefined: it is removed. */
  const commit = (contents: Readonly<Record<string, string | undefined>>) => {
    const writes = Object.entries(contents).map(([key, value]) => ({
      place: valueAt(key),
      become: value === undefined ? undefined : { data: bytes(value) },
    }))
    const changed = writes.map(({ place }) => placeText(place))
    tables.apply(tables.revision, [...writes, { place: changeAt(tables.revision + 1n), become: { changed } }])
  }
  /** Resolves to what it ends with. */
  const follow = (from: bigint, covers: (place: Place) => boolean): Promise<unknown> =>
    feed
      .follow(
        from,
        {
          covers,
          changed: (rows, at) => {
            const shown = rows.map(({ place, row }) => `${place.name}=${row === undefined ? 'gone' : text(row.data)}`)
            lines.push(`${at}: ${shown.sort().join(' ')}`)
          },
          progress: (at) => lines.push(`${at}`),
        },
        end.signal,
      )
      .catch((error: unknown) => error)
  /** Of one that nobody waits for. */
  const begin = (from: bigint, covers: (place: Place) => boolean) => {
    follow(from, covers).catch(() => undefined)
  }
  const told = (line: string) =>
    until(
      () => lines.includes(line),
      () => lines,
    )

  beforeEach(() => {
    tables = new FakeTables()
    timers = 0
    feed = new Feed({ context: { clock: counted, sessionTimeoutMs: 1000 }, tables, pollMs: 1 })
    lines = []
    end = new AbortController()
  })
  afterEach(() => feed.close())

  it('tells of what is followed, as it stands, and of nothing else', async () => {
    commit({ '/a': '1', '/b': '1' })
    begin(1n, ({ name }) => name === '/a')
    await told('1: /a=1')
    commit({ '/b': '2' })
    await told('2')
    commit({ '/a': undefined })
    await told('3: /a=gone')
  })

  it('tells of several revisions at once, with the last state', async () => {
    commit({ '/a': '1' })
    commit({ '/a': '2' })
    commit({ '/b': '1' })
    begin(1n, () => true)
    await told('3: /a=2 /b=1')
    expect(lines).to.have.lengthOf(1)
  })

  it('tells of all that one step has changed together, also if it is made between two reads', async () => {
    commit({ '/a': '1', '/b': '1' })
    let raced = false
    tables.afterRead = () => {
      // after the read of what has changed
      if (tables.reads !== 2 || raced) return
      raced = true
      commit({ '/a': '2', '/c': '2' })
    }
    begin(1n, () => true)
    await told('2: /a=2 /b=1 /c=2')
    expect(lines).to.have.lengthOf(1)
  })

  it('goes on where others change what is not followed all the time', async () => {
    commit({ '/a': '1' })
    tables.afterRead = () => commit({ '/other': 'x' })
    begin(1n, ({ name }) => name === '/a')
    await until(
      () => lines.some((line) => line.endsWith('/a=1')),
      () => lines,
    )
  })

  it('says that it is forgotten what was too long ago, or has been removed', async () => {
    for (let count = 0; count <= REMEMBERED_CHANGES; count++) commit({ '/a': String(count) })
    expect(await follow(1n, () => true)).to.be.instanceOf(CompactedError)
    begin(2n, () => true)
    await told(`${REMEMBERED_CHANGES + 1}: /a=${REMEMBERED_CHANGES}`)
    commit({ '/a': 'x' })
    tables.rows.delete(placeText(changeAt(tables.revision)))
    expect(await follow(tables.revision, () => true)).to.be.instanceOf(CompactedError)
  })

  it('does not look while nobody follows', async () => {
    const following = follow(1n, () => true)
    await until(
      () => tables.reads > 0,
      () => tables.reads,
    )
    end.abort()
    expect(await following).to.include({ code: 'CLOSED' })
    await until(
      () => timers === 0,
      () => timers,
    )
    commit({ '/a': '1' })
    end = new AbortController()
    begin(1n, () => true)
    await told('1: /a=1')
  })

  it('ends with what the store says', async () => {
    tables.places = () => Promise.reject(Object.assign(new Error('a fault'), { code: 'INTERNAL' }))
    expect(String(await follow(1n, () => true))).to.include('a fault')
  })
})
