/** Progress: its text, and when it is shown. */
import { expect } from 'chai'
import { createProgress, formatBar, formatProgress } from './progress.ts'

const MOMENT = { label: 'replay', unit: 'records', done: 1_240_000, total: 3_000_000, elapsedMs: 4000 }

describe('progress', () => {
  it('says how much is done, how fast, and how long the rest takes', () => {
    expect(formatProgress(MOMENT)).to.equal('replay 41 % 1.2M/3.0M records 310k/s eta 6s')
  })

  const cases: [string, Partial<typeof MOMENT>][] = [
    ['replay 0 % 0/3.0M records', { done: 0 }],
    ['replay 100 % 0/0 records', { done: 0, total: 0, elapsedMs: 0 }],
    ['replay 50 % 5/10 records 1/s eta 5s', { done: 5, total: 10, elapsedMs: 5000 }],
    ['replay 1 % 1k/100k records 10/s eta 2h45m', { done: 1000, total: 100_000, elapsedMs: 100_000 }],
    [
      'snapshot 25 % 256KiB/1.0MiB 128KiB/s eta 6s',
      { label: 'snapshot', unit: 'bytes', done: 2 ** 18, total: 2 ** 20, elapsedMs: 2000 },
    ],
  ]
  for (const [text, change] of cases) {
    it(`formats "${text}"`, () => {
      expect(formatProgress({ ...MOMENT, ...change })).to.equal(text)
    })
  }

  it('draws a bar', () => {
    expect(formatBar(MOMENT)).to.match(/^\[#{8}-{12}\] replay 41 % /)
  })

  function record(terminal: boolean) {
    let time = 0
    const out: string[] = []
    const progress = createProgress({
      now: () => time,
      terminal: terminal ? (text) => out.push(text) : undefined,
      line: (text) => out.push(text),
    })
    return { progress, out, at: (to: number) => (time = to) }
  }

  it('writes a line every two seconds where there is no terminal', () => {
    const { progress, out, at } = record(false)
    for (let ms = 0; ms <= 5000; ms += 100) {
      at(ms)
      progress.update('replay', 'records', ms, 10_000)
    }
    progress.finish()
    expect(out).to.deep.equal(['replay 20 % 2k/10k records 1k/s eta 8s', 'replay 40 % 4k/10k records 1k/s eta 6s'])
  })

  it('redraws a bar on a terminal and removes it at the end', () => {
    const { progress, out, at } = record(true)
    for (let ms = 0; ms <= 1000; ms += 50) {
      at(ms)
      progress.update('replay', 'records', ms, 1000)
    }
    progress.finish()
    expect(out).to.have.length(7)
    expect(out[0]).to.match(/^\r\x1b\[K\[#{10}/)
    expect(out.at(-1)).to.equal('\r\x1b[K')
  })

  it('shows nothing for work that is over at once', () => {
    const { progress, out, at } = record(true)
    progress.update('replay', 'records', 0, 10)
    at(400)
    progress.update('replay', 'records', 10, 10)
    progress.finish()
    expect(out).to.deep.equal([])
  })
})
