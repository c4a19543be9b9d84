/** Log lines: fields, errors, secrets, levels, both formats. */
import { expect } from 'chai'
import { createLogger, type LoggerOptions } from './logger.ts'

const TIME = new Date('2026-01-02T03:04:05.678Z')

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = []
  const logger = createLogger({
    level: 'debug',
    format: 'json',
    colour: false,
    now: () => TIME,
    write: (line) => lines.push(line),
    ...options,
  })
  return { logger, lines, json: () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> }
}

describe('the logger', () => {
  it("writes one JSON object per line with etcd's field names", () => {
    const { logger, lines, json } = capture()
    logger.warn('slow', { took: 12 })
    expect(lines).to.have.length(1)
    expect(lines[0]!.endsWith('\n')).to.equal(true)
    expect(json()).to.deep.equal({ level: 'warn', ts: '2026-01-02T03:04:05.678Z', took: 12, msg: 'slow' })
  })

  it('drops what is less severe than its level', () => {
    const { logger, lines } = capture({ level: 'warn' })
    logger.debug('a')
    logger.info('b')
    logger.warn('c')
    logger.error('d')
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).to.deep.equal(['c', 'd'])
  })

  it('adds the fields of a child, which its own lines may override', () => {
    const { logger, json } = capture()
    logger.child({ part: 'log', n: 1 }).child({ more: true }).info('x', { n: 2 })
    expect(json()).to.include({ part: 'log', n: 2, more: true })
  })

  it('writes an error with its code and its chain of causes', () => {
    const { logger, json } = capture()
    const disk = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    const log = Object.assign(new Error('append failed', { cause: disk }), { code: 'APPEND_FAILED' })
    logger.error('ended', { error: log })
    expect(json()['error']).to.deep.equal({
      type: 'Error',
      message: 'append failed',
      code: 'APPEND_FAILED',
      cause: { type: 'Error', message: 'ENOSPC: no space left on device', code: 'ENOSPC' },
    })
  })

  it('gives the stack of an error without a code, and survives a ring of causes', () => {
    const { logger, json } = capture()
    const ring = new Error('ring')
    ring.cause = ring
    logger.error('defect', { error: ring })
    expect((json()['error'] as { stack: string }).stack).to.include('logger.test.ts')
  })

  it('masks secrets at any depth and in any spelling', () => {
    const { logger, lines } = capture()
    logger.info('config', {
      'ssl.keystore.password': 'hunter2',
      kafka: { saslJaasConfig: 'hunter2', nested: [{ PASSWD: 'hunter2', client_secret: 'hunter2' }] },
      token: 'hunter2',
    })
    expect(lines[0]).not.to.include('hunter2')
    expect(lines[0]!.match(/\*\*\*/g)).to.have.length(5)
  })

  it('takes values that JSON has not: bigints as hex, bytes by their length, rings cut off', () => {
    const { logger, json } = capture()
    const ring: Record<string, unknown> = {}
    ring['self'] = ring
    logger.info('x', { id: 0x1234567890abcdefn, bytes: new Uint8Array(3), ring, none: undefined, f: Number.NaN })
    expect(json()).to.include({ id: '1234567890abcdef', bytes: '3 bytes' })
    expect(json()).not.to.have.property('none')
  })

  it('writes a readable line without colour unless asked', () => {
    const { logger, lines } = capture({ format: 'pretty' })
    logger.info('ready', { url: 'http://x:1', text: 'two words', list: [1, 2] })
    expect(lines).to.deep.equal(['03:04:05.678 INFO  ready url=http://x:1 text="two words" list=[1,2]\n'])
  })

  it('colours on request', () => {
    const { logger, lines } = capture({ format: 'pretty', colour: true })
    logger.error('no')
    expect(lines[0]).to.include('\x1b[31mERROR\x1b[0m')
  })

  it('keeps a readable line on its line, whatever the message and the fields contain', () => {
    const { logger, lines } = capture({ format: 'pretty' })
    logger.info('a\nb\x1b[2J', { text: 'c\r\nd', esc: '\x1b' })
    expect(lines[0]).to.equal('03:04:05.678 INFO  a\\nb\\u001b[2J text="c\\r\\nd" esc="\\u001b"\n')
  })

  it('joins an error and its causes in a readable line', () => {
    const { logger, lines } = capture({ format: 'pretty' })
    const cause = Object.assign(new Error('disk'), { code: 'EIO' })
    logger.error('x', { error: Object.assign(new Error('append', { cause }), { code: 'APPEND_FAILED' }) })
    expect(lines[0]).to.equal('03:04:05.678 ERROR x error="append (APPEND_FAILED): disk (EIO)"\n')
  })
})
