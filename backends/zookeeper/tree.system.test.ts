/** The tree that commits make, held against a model: whatever the commits, and whoever else commits. */
import { expect } from 'chai'
import fc from 'fast-check'
import { provideOrSkip } from '../../test-servers/server.ts'
import { ensureZooKeeper, startZooKeeper, type ZooKeeperEnsemble } from '../../test-servers/zookeeper.ts'
import type { KeyChange, StoreDriver } from '../shared/driver.ts'
import { bytes, call, commitOf, reading } from '../shared/driver-calls.fixture.ts'
import { visit, type Visitor } from './foreign-client.fixture.ts'
import { Layout } from './layout.ts'
import { Drivers } from './opened.fixture.ts'

const KEYS = ['/a', '/a/b', '/a/b/c', '/a/d', '/e/f', '/e']

const change = fc.record({
  key: fc.constantFrom(...KEYS),
  expect: fc.constantFrom('anything', 'anything', 'absent', 'present', 'version', 'old version'),
  become: fc.constantFrom('absent', 'unchanged', 'x', ''),
})
const commit = fc.uniqueArray(change, { minLength: 1, maxLength: 4, selector: ({ key }) => key })

type Chosen = typeof change extends fc.Arbitrary<infer T> ? T : never

interface Known {
  readonly text: string
  readonly version: string
}

describe('the tree in a real ZooKeeper', function () {
  this.timeout(60_000)
  const drivers = new Drivers()
  let ensemble: ZooKeeperEnsemble
  let clusters = 0

  before(async function () {
    await provideOrSkip(this, ensureZooKeeper)
    ensemble = await startZooKeeper()
  })
  after(async () => {
    await drivers.close()
    await ensemble.stop()
  })

  it('shows what a map would, and has no znode that is there for nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(commit, { maxLength: 12 }), async (commits) => {
        const clusterId = `tree ${++clusters}`
        const driver = await drivers.open([ensemble.connectString], { host: { clusterId } })
        const { id } = await driver.openSession(5000, call())
        const model = new Map<string, Known>()
        let after = 0
        for (const [index, changes] of commits.entries()) {
          const asked = changes.map((one) => asChange(one, model))
          const outcome = await driver.commit(commitOf(id, { number: index + 1, after }, ...asked), call())
          expect(outcome.committed, JSON.stringify(asked)).to.equal(asked.every((one) => holds(one, model)))
          if (!outcome.committed) {
            const found = [...outcome.found].map(([key, entry]) => [key, entry?.text])
            expect(found).to.deep.equal(changes.map(({ key }) => [key, model.get(key)?.text]))
            continue
          }
          after = index + 1
          for (const { key, become } of changes) {
            if (become === 'absent') model.delete(key)
            else if (become !== 'unchanged') model.set(key, { text: become, version: outcome.versions.get(key) ?? '' })
          }
        }
        expect(await allOf(driver)).to.deep.equal(new Map([...model].map(([key, { text }]) => [key, text])))
        const layout = new Layout('', clusterId)
        const idle = await visit(ensemble.connectString, (visitor) => idleBelow(visitor, layout.values))
        expect(idle).to.deep.equal([])
        await driver.close()
      }),
      { numRuns: 25 },
    )
  })

  it('loses no increment of many that write at once, with parents coming and going', async () => {
    const clusterId = 'race'
    const racers = await Promise.all(
      [0, 1, 2, 3].map(() => drivers.open([ensemble.connectString], { host: { clusterId } })),
    )
    const rounds = 25
    const race = async (driver: StoreDriver, racer: number) => {
      const { id } = await driver.openSession(5000, call())
      let [number, after, done] = [0, 0, 0]
      while (done < rounds) {
        const present = await driver.read('/n/count', reading())
        number++
        const next = bytes(String(Number(present?.text ?? 0) + 1))
        const changes: KeyChange[] = [
          { key: '/n/count', expect: present?.version ?? 'absent', become: next },
          { key: `/n/by/${racer}`, expect: 'anything', become: done % 2 === 0 ? next : 'absent' },
        ]
        const outcome = await driver.commit(commitOf(id, { number, after }, ...changes), call(10_000))
        if (!outcome.committed) continue
        after = number
        done++
      }
    }
    await Promise.all(racers.map(race))
    const [first] = racers
    expect((await first?.read('/n/count', reading()))?.text).to.equal(String(4 * rounds))
  })
})

function asChange({ key, expect: expected, become }: Chosen, model: ReadonlyMap<string, Known>): KeyChange {
  const version = (expected === 'version' ? model.get(key)?.version : undefined) ?? '1'
  return {
    key,
    expect: expected.endsWith('version') ? (version as KeyChange['expect']) : (expected as KeyChange['expect']),
    become: become === 'absent' || become === 'unchanged' ? become : bytes(become),
  }
}

function holds({ key, expect: expected }: KeyChange, model: ReadonlyMap<string, Known>): boolean {
  const known = model.get(key)
  if (expected === 'anything') return true
  if (expected === 'absent') return known === undefined
  if (expected === 'present') return known !== undefined
  return known?.version === expected
}

async function allOf(driver: StoreDriver): Promise<ReadonlyMap<string, string>> {
  const page = await driver.scan({ from: '/', to: '0', limit: 100, keysOnly: false, at: undefined }, reading())
  // in the order in which the model has them
  return new Map(page.entries.map(({ key, text }) => [key, text]))
}

/** Znodes without a value and without children. */
async function idleBelow(visitor: Visitor, path: string): Promise<readonly string[]> {
  const idle: string[] = []
  for (const name of await visitor.children(path)) {
    const child = `${path}/${name}`
    const below = await visitor.children(child)
    if (below.length === 0 && (await visitor.data(child)) === undefined) idle.push(child)
    idle.push(...(await idleBelow(visitor, child)))
  }
  return idle
}
