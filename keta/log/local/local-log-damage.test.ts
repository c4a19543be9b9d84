/**
 * Files that are cut at every byte and changed at every byte: what is refused, what is cut, and that nothing is
 * invented.
 */
import { expect } from 'chai'
import { bytes, codeOf, texts } from '../log-suite.ts'
import type { Log } from '../log.ts'
import { LogError } from '../log.ts'
import { FaultyDisk } from './faulty-disk.fixture.ts'
import { openLocalLog } from './local-log.ts'
import type { TornTail } from './recovery.ts'
import { encodeFrame, frameSeed } from './segment.ts'

const LOG_ID = Buffer.alloc(16, 0xa7)
const FIRST = '/log/00000000000000000000.log'
const HEADER_BYTES = 40

type Files = ReadonlyMap<string, Buffer>

interface Opened {
  readonly log: Log
  readonly warnings: readonly TornTail[]
  readonly files: Files
}

describe('local log with a damaged file', () => {
  let files: Files
  /** Where the frames of the only segment begin, and where the last one ends. */
  let bounds: number[]
  const batches = [['a0', 'a1'], ['b0'], ['', 'c1', 'c2'], ['d0 is longer', 'd1']]
  before(async () => {
    const disk = new FaultyDisk(() => 0)
    const log = await openLocalLog({ directory: '/log', logId: LOG_ID, preallocateBytes: 0, disk })
    bounds = [log.sizeBytes]
    for (const batch of batches) {
      await log.append(batch.map(bytes))
      bounds.push(log.sizeBytes)
    }
    files = disk.files()
  })

  function only(): Buffer {
    return Buffer.from(files.get(FIRST) ?? bytes('none'))
  }

  it('keeps what lies before the end of a file cut at any byte, and puts the rest aside', async () => {
    for (let size = HEADER_BYTES; size <= only().length; size++) {
      const whole = bounds.filter((bound) => bound <= size)
      const { log, warnings, files: after } = await openWith(new Map([[FIRST, only().subarray(0, size)]]))
      expect(await texts(log, 0)).to.deep.equal(batches.slice(0, whole.length - 1).flat())
      const position = Math.max(...whole)
      if (position === size) {
        expect(warnings).to.deep.equal([])
      } else {
        const keptIn = `${FIRST}.torn-1`
        expect(warnings).to.have.length(1)
        expect(warnings[0]).to.deep.include({ path: FIRST, position, bytesCut: size - position, keptIn })
        expect(after.get(keptIn)).to.deep.equal(only().subarray(position, size))
        expect(after.get(FIRST)).to.deep.equal(only().subarray(0, position))
      }
    }
  })

  it('refuses a file that ends within its header', async () => {
    for (let size = 0; size < HEADER_BYTES; size++) {
      await expectRefusal(new Map([[FIRST, only().subarray(0, size)]]), /damaged at byte 0 .*ends within its header/)
    }
  })

  it('refuses a change of any byte, naming the frame, and leaves every file as it was', async () => {
    for (let at = 0; at < only().length; at++) {
      const frameAt = Math.max(0, ...bounds.filter((bound) => bound <= at))
      for (const garble of [(byte: number) => byte ^ 1, (byte: number) => byte ^ 0xff, () => 0, () => 0xff]) {
        const garbled = only()
        const before = garbled[at] ?? 0
        garbled[at] = garble(before)
        if (garbled[at] !== before) {
          await expectRefusal(new Map([[FIRST, garbled]]), new RegExp(`${FIRST} is damaged at byte ${frameAt} of`))
        }
      }
    }
  })

  it('refuses zeros in the middle, saying that a valid frame follows and what to do', async () => {
    const [, second = 0, third = 0] = bounds
    const message = new RegExp(
      `byte ${second} .*offset 2 belongs: expected a frame header.*A valid frame follows at byte ${third}.*` +
        `Nothing was changed.*"truncate -s ${second} ${FIRST}"`,
    )
    await expectRefusal(new Map([[FIRST, only().fill(0, second, third)]]), message)
  })

  it('cuts a last frame that reads as zeros from its header on, as a crash leaves it', async () => {
    const last = bounds.at(-2) ?? 0
    const withBigFrame = Buffer.concat([only().subarray(0, last), bigFrame(6, LOG_ID)])
    for (const from of [last + 28, 1024]) {
      const { log, warnings } = await openWith(new Map([[FIRST, Buffer.from(withBigFrame).fill(0, from)]]))
      expect(await texts(log, 0)).to.deep.equal(batches.slice(0, 3).flat())
      expect(warnings[0]).to.include({ position: last })
    }
  })

  it('cuts a torn tail although its records hold frames of another log, or older ones of this log', async () => {
    const end = bounds.at(-1) ?? 0
    const foreign = encodeFrame([bytes('x')], 99, frameSeed(Buffer.alloc(16, 1), 0))
    const own = only().subarray(bounds[0], bounds[1])
    const frame = encodeFrame([Buffer.concat([foreign, own]), bytes('end')], 8, frameSeed(LOG_ID, 0))
    const { log, warnings } = await openWith(new Map([[FIRST, Buffer.concat([only(), frame.subarray(0, -1)])]]))
    expect(await texts(log, 0)).to.deep.equal(batches.flat())
    expect(warnings[0]).to.include({ position: end, bytesCut: frame.length - 1 })
  })

  it('keeps the newest three torn tails', async () => {
    const disk = new FaultyDisk(() => 0)
    disk.place(FIRST, only())
    for (let round = 0; round < 5; round++) {
      disk.place(FIRST, Buffer.concat([only(), bytes('torn')]))
      await (await openLocalLog({ directory: '/log', logId: LOG_ID, disk })).close()
    }
    const kept = [3, 4, 5].map((number) => `${FIRST}.torn-${number}`)
    expect([...disk.files().keys()].sort()).to.deep.equal([FIRST, ...kept])
  })

  it('starts on a full device, without putting the torn tail aside', async () => {
    const { log, warnings } = await openWith(new Map([[FIRST, Buffer.concat([only(), bytes('torn')])]]), 0)
    expect(await texts(log, 0)).to.deep.equal(batches.flat())
    expect(warnings[0]).to.include({ bytesCut: 4, keptIn: undefined })
  })

  it('says at the next append that the device is full', async () => {
    const { log } = await openWith(new Map([[FIRST, only()]]), 10)
    const error = await log.append([bytes('more than fits')]).catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(LogError).and.include({ code: 'APPEND_FAILED' })
    expect(error).to.have.property('cause').that.includes({ code: 'NO_SPACE' })
    expect(await texts(log, 0)).to.deep.equal(batches.flat())
  })

  it('finds damage that came after opening when it reads', async () => {
    const disk = new FaultyDisk(() => 0)
    disk.place(FIRST, only())
    const log = await openLocalLog({ directory: '/log', logId: LOG_ID, preallocateBytes: 0, disk })
    const garbled = only()
    garbled[garbled.length - 1] = 0
    disk.place(FIRST, garbled)
    expect(await codeOf(texts(log, 0))).to.equal('CORRUPT')
  })
})

describe('local log with zeros written ahead', () => {
  let end: number
  let lastAt: number
  let content: Buffer
  before(async () => {
    const disk = new FaultyDisk(() => 0)
    const log = await openLocalLog({ directory: '/log', logId: LOG_ID, preallocateBytes: 8192, disk })
    await log.append([bytes('first')])
    lastAt = log.sizeBytes
    await log.append([Buffer.alloc(1500, 0x55)])
    end = log.sizeBytes
    // As a crash leaves it: the log is not closed.
    content = Buffer.from(disk.files().get(FIRST) ?? bytes('none'))
  })

  it('takes them for the end of the log, without a warning', async () => {
    expect(content.length).to.be.greaterThan(end + 4096)
    const { log, warnings } = await openWith(new Map([[FIRST, content]]))
    expect(log.endOffset).to.equal(2)
    expect(log.sizeBytes).to.equal(end)
    expect(warnings).to.deep.equal([])
  })

  it('goes on behind the last record, and gives the zeros back when it is closed', async () => {
    const disk = diskOf(new Map([[FIRST, content]]))
    const log = await openLocalLog({ directory: '/log', logId: LOG_ID, disk })
    await log.append([bytes('third')])
    await log.close()
    expect(disk.files().get(FIRST)?.length).to.equal(log.sizeBytes)
    const { log: again } = await openWith(disk.files())
    expect((await texts(again, 2)).at(-1)).to.equal('third')
  })

  it('cuts a last frame of which some sector was never written', async () => {
    for (let sector = 512 * Math.ceil(lastAt / 512); sector < end; sector += 512) {
      const torn = Buffer.from(content)
      torn.fill(0, sector, Math.min(end, sector + 512))
      const { log, warnings } = await openWith(new Map([[FIRST, torn]]))
      expect(log.endOffset, `sector at ${sector}`).to.equal(1)
      expect(warnings[0]).to.include({ position: lastAt })
    }
  })

  it('refuses a change of any byte of the last frame', async () => {
    for (let at = lastAt; at < end; at++) {
      const garbled = Buffer.from(content)
      garbled[at] = (garbled[at] ?? 0) ^ 0xff
      await expectRefusal(new Map([[FIRST, garbled]]), /damaged at byte/)
    }
  })

  it('cuts bytes in the zeros that are no frame, and says so', async () => {
    const garbled = Buffer.from(content)
    garbled[end + 3000] = 1
    const { log, warnings } = await openWith(new Map([[FIRST, garbled]]))
    expect(log.endOffset, 'all that was acknowledged').to.equal(2)
    expect(warnings[0]).to.include({ position: end })
  })
})

describe('local log of several segments', () => {
  let files: Map<string, Buffer>
  const names = [0, 1, 2, 3].map((offset) => `/log/0000000000000000000${offset}.log`)
  beforeEach(async () => {
    const disk = new FaultyDisk(() => 0)
    const log = await openLocalLog({ directory: '/log', logId: LOG_ID, segmentBytes: 1, preallocateBytes: 0, disk })
    for (const record of ['a', 'b', 'c', 'd']) {
      await log.append([bytes(record)])
    }
    files = disk.files()
    expect([...files.keys()]).to.deep.equal(names)
  })

  it('is refused when a segment in the middle is missing, naming it', async () => {
    files.delete(names[2] ?? '')
    await expectRefusal(files, /ends before offset 2.*begins at 3: expected 00000000000000000002\.log/)
  })

  it('is refused when an earlier segment is cut at any byte', async () => {
    const [, second = ''] = names
    const whole = files.get(second) ?? bytes('none')
    for (let size = 0; size < whole.length; size++) {
      files.set(second, Buffer.from(whole.subarray(0, size)))
      await expectRefusal(files, size === HEADER_BYTES ? /begins at 2: expected .*1\.log/ : /Newer segments follow/)
    }
  })

  it('is refused when two segments changed places', async () => {
    const [, second = '', third = ''] = names
    const swapped = new Map([...files, [second, files.get(third) ?? Buffer.alloc(0)]])
    await expectRefusal(swapped, /expected base offset 1 as in the name, found 2/)
  })

  it('removes a segment that a crash left unfinished', async () => {
    files.set('/log/00000000000000000004.log.new', Buffer.from('half'))
    const { log, files: after } = await openWith(files)
    expect(await texts(log, 0)).to.deep.equal(['a', 'b', 'c', 'd'])
    expect([...after.keys()]).to.deep.equal(names)
  })
})

async function openWith(files: Files, freeBytes = Number.POSITIVE_INFINITY): Promise<Opened> {
  const disk = diskOf(files)
  disk.freeBytes = freeBytes
  const warnings: TornTail[] = []
  const log = await openLocalLog({ directory: '/log', logId: LOG_ID, disk, warn: (cut) => warnings.push(cut) })
  return { log, warnings, files: disk.files() }
}

async function expectRefusal(files: Files, message: RegExp): Promise<void> {
  const disk = diskOf(files)
  const error = await openLocalLog({ directory: '/log', logId: LOG_ID, disk }).catch((reason: unknown) => reason)
  expect(error).to.be.instanceOf(LogError).and.include({ code: 'CORRUPT' })
  expect(error).to.have.property('message').that.matches(message)
  expect(disk.files()).to.deep.equal(files)
}

function diskOf(files: Files): FaultyDisk {
  const disk = new FaultyDisk(() => 0)
  for (const [path, content] of files) {
    disk.place(path, content)
  }
  return disk
}

function bigFrame(offset: number, logId: Uint8Array): Buffer {
  return encodeFrame([Buffer.alloc(3000, 0x55)], offset, frameSeed(logId, 0))
}
