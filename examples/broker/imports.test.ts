import { expect } from 'chai'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))

describe('the broker', () => {
  it('knows the SPI and its loader, no backend, and nothing else of this package', () => {
    const files = readdirSync(HERE, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('cases/'))
      .map((path) => [path, readFileSync(join(HERE, path), 'utf8')] as const)
    expect(files.map(([path]) => path)).to.include.members(['broker.ts', 'store/controller.ts'])
    const seen = new Set<string>()
    for (const [path, text] of files) {
      for (const [, name = ''] of text.matchAll(/(?:from|import\(?) ?'([^'\n]+)'/g)) {
        if (!/^(node:|\.\.?\/)/.test(name)) seen.add(name)
        expect(name, path).not.to.match(/^\.\.\/\.\.\/\.\.\/|^\.\.\/\.\.\/(?!broker)|backends|conformance/)
      }
    }
    expect([...seen].sort()).to.deep.equal(['keta/spi', 'keta/spi/node'])
  })
})
