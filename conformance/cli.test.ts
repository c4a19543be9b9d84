import { expect } from 'chai'
import { readArguments } from './cli-arguments.ts'
import { redirect } from './cli-harness.ts'
import { readSettings } from './settings.ts'

const problemsOf = (...words: string[]) => {
  const invocation = readArguments(words)
  return invocation.does === 'nothing' ? invocation.problems : expect.fail(`it ${invocation.does}s`)
}

describe('the command line of keta conformance', () => {
  it('reads a backend and a choice of cases', () => {
    const words = ['--locator', 'etcd', '--config', 'p.properties', '--endpoints', 'a:1, b:2', '--ttl', '900']
    expect(
      readArguments([...words, '--only', 'S1,S2', '--scale', 'full', '--seed', 'x', '--report', 'd']),
    ).to.deep.equal({
      does: 'run',
      backend: { locator: 'etcd', config: 'p.properties', endpoints: ['a:1', 'b:2'], ttlMs: 900 },
      only: ['S1', 'S2'],
      scale: 'full',
      seed: 'x',
      reportFolder: 'd',
    })
    expect(readArguments(['--harness', './h.js#X'])).to.deep.include({ does: 'run', backend: { harness: './h.js#X' } })
  })

  it('knows its other commands', () => {
    expect(readArguments(['--help'])).to.deep.equal({ does: 'help' })
    expect(readArguments(['--list'])).to.deep.equal({ does: 'list' })
    expect(readArguments(['matrix', 'a.json', 'b.json', '--into', 'R.md'])).to.deep.equal({
      does: 'matrix',
      reports: ['a.json', 'b.json'],
      into: 'R.md',
    })
  })

  it('tells every problem at once', () => {
    const words = [
      '--locator',
      'etcd',
      '--endpoints',
      'a',
      '--ttl',
      'soon',
      '--scale',
      'huge',
      '--into',
      'x',
      'matrix-',
    ]
    expect(problemsOf(...words)).to.have.lengthOf(6)
    expect(problemsOf()).to.deep.equal([
      'which backend? Give --locator X or --harness FILE.js#EXPORT; --help says more',
    ])
    expect(problemsOf('--harness', 'h.js', '--ttl', '5')[0]).to.include('--ttl is the harness')
    expect(problemsOf('--locater', 'x')[0]).to.include("Unknown option '--locater'")
    expect(problemsOf('matrix')).to.have.lengthOf(1)
    expect(problemsOf('matrix', 'a.json', '--seed', 'x')).to.have.lengthOf(1)
  })

  it('leads a plugin’s properties to the proxies', () => {
    const properties = { hosts: 'http://h:2379,http://h:23790', other: 'h:2380' }
    expect(redirect(properties, ['h:2379', 'h:23790'], ['p:1', 'p:2'])).to.deep.equal({
      hosts: 'http://p:1,http://p:2',
      other: 'h:2380',
    })
    expect(redirect({ hosts: 'a:1,b:2' }, ['a:1', 'b:2'], ['b:2', 'a:1'])).to.deep.equal({ hosts: 'b:2,a:1' })
  })
})

describe('the settings of a run', () => {
  it('come from the options, else from the environment, else by default', () => {
    const environment = { KETA_SCALE: 'full', KETA_SEED: 's', KETA_CASES: 'S1, S2', KETA_CONFORMANCE_REPORT: 'r' }
    expect(readSettings({}, environment)).to.deep.include({
      ...{ scale: 'full', seed: 's', only: ['S1', 'S2'], reportFolder: 'r', concurrency: 4 },
    })
    expect(readSettings({ scale: 'quick', seed: 't', only: ['X1'] }, environment)).to.deep.include({
      ...{ scale: 'quick', seed: 't', only: ['X1'] },
    })
    const { seed, ...others } = readSettings({}, { KETA_CASES: '' })
    expect(others).to.deep.include({ scale: 'quick', only: undefined, reportFolder: undefined })
    expect(seed)
      .to.match(/^[0-9a-f]{8}$/)
      .and.not.equal(readSettings({}, {}).seed)
    expect(() => readSettings({}, { KETA_SCALE: 'huge' })).to.throw('KETA_SCALE is huge')
  })
})
