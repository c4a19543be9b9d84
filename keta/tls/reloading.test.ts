import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Reloading } from './reloading.ts'

describe('files that are taken over when they change', () => {
  let directory: string
  let path: string
  const seen: string[] = []

  const open = () =>
    new Reloading<string>({
      paths: [path],
      load: () => {
        const text = readFileSync(path, 'utf8')
        if (text === 'broken') throw new Error('broken')
        seen.push(text)
        return text
      },
      onReloaded: () => seen.push('reloaded'),
      onFailure: (error) => seen.push(String(error)),
    })

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keta-reloading-'))
    path = join(directory, 'file')
    writeFileSync(path, 'one')
    seen.length = 0
  })

  afterEach(() => rmSync(directory, { recursive: true }))

  it('are read once as long as they stay the same', () => {
    const files = open()
    expect([files.current(), files.current(), files.current()]).to.deep.equal(['one', 'one', 'one'])
    expect(seen).to.deep.equal(['one'])
  })

  it('are read again when they are written, or replaced by others of the same size', () => {
    const files = open()
    writeFileSync(path, 'and two')
    expect(files.current()).to.equal('and two')
    writeFileSync(join(directory, 'new'), 'the two')
    renameSync(join(directory, 'new'), path)
    expect(files.current()).to.equal('the two')
    expect(seen).to.deep.equal(['one', 'and two', 'reloaded', 'the two', 'reloaded'])
  })

  it('are read again when a link leads elsewhere, as it does for the secrets of Kubernetes', () => {
    writeFileSync(join(directory, 'other'), 'two')
    const link = join(directory, 'link')
    symlinkSync(path, link)
    path = link
    const files = open()
    unlinkSync(link)
    symlinkSync(join(directory, 'other'), link)
    expect(files.current()).to.equal('two')
  })

  it('stay what they were while they are broken or missing, which is told once', () => {
    const files = open()
    writeFileSync(path, 'broken')
    expect([files.current(), files.current()]).to.deep.equal(['one', 'one'])
    unlinkSync(path)
    expect([files.current(), files.current()]).to.deep.equal(['one', 'one'])
    expect(seen.slice(1).map((text) => text.slice(0, 13))).to.deep.equal(['Error: broken', 'Error: ENOENT'])
    writeFileSync(path, 'two')
    expect(files.current()).to.equal('two')
  })

  it('have to be usable at the beginning', () => {
    writeFileSync(path, 'broken')
    expect(open).to.throw('broken')
  })
})
