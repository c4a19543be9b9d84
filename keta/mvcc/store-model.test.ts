/** Random sequences of everything a store can do, each answer compared with the naive store's. */
import { expect } from 'chai'
import fc from 'fast-check'
import { EMPTY_KEY, type Key, keyFromText } from '../bytes/key.ts'
import type { Event, Version } from './kv.ts'
import { encodedNaively, type NaiveChange, NaiveStore, type NaiveVersion } from './naive-store-suite.ts'
import { StoreLoader } from './store-loader.ts'
import { createStore, type MvccStore } from './store.ts'
import { VALUE_STORES, type ValueStores } from './value-stores.fixture.ts'

/** A box, because loading a dump replaces the store. */
interface Real {
  store: MvccStore
  readonly values: ValueStores
}

type Step = fc.AsyncCommand<NaiveStore, Real>

/** A step that is always possible. */
function step(name: string, run: (model: NaiveStore, real: Real) => void | Promise<void>): Step {
  return { check: () => true, run: async (model, real) => run(model, real), toString: () => name }
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'dd', 'e', '\xff').map((text) => text as Key)
const value = fc.constantFrom('', 'x', 'y'.repeat(40), 'z'.repeat(300))
const change: fc.Arbitrary<NaiveChange> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('put' as const), key, value, lease: fc.constantFrom(0n, 7n, -2n) }),
  },
  { weight: 1, arbitrary: key.map((start) => ({ kind: 'delete' as const, start, end: (start + '\0') as Key })) },
  { weight: 1, arbitrary: fc.tuple(key, key).map(([start, end]) => ({ kind: 'delete' as const, start, end })) },
)
/** Where between the oldest readable revision and the newest. */
const share = fc.nat(100)

const steps: fc.Arbitrary<Step>[] = [
  fc.array(change, { maxLength: 4 }).map((changes) => step(`write ${fc.stringify(changes)}`, writeStep(changes))),
  fc.array(change, { maxLength: 4 }).map((changes) => step(`write ${fc.stringify(changes)}`, writeStep(changes))),
  share.map((at) => step(`compact ${at}`, compactStep(at))),
  fc.integer({ min: 1, max: 6 }).map((count) => step(`scrub ${count}`, (_model, { store }) => void store.scrub(count))),
  fc
    .integer({ min: 1, max: 6 })
    .map((count) => step(`defragment ${count}`, (_m, { store }) => void store.defragment(count))),
  fc.constant(step('scrub all', scrubStep)),
  fc.constant(step('settle', async (_model, { values }) => values.settle())),
  fc.constant(step('restart', restartStep)),
  fc.integer({ min: 1, max: 400 }).map((bytes) => step(`reload ${bytes}`, reloadStep(bytes))),
  fc
    .tuple(share, key, fc.option(key), fc.nat(4))
    .map(([at, start, end, limit]) =>
      step(`read ${fc.stringify([at, start, end, limit])}`, readStep(at, start, end, limit)),
    ),
  fc
    .tuple(share, fc.integer({ min: 1, max: 5 }), fc.nat(300))
    .map(([at, count, bytes]) => step(`history ${at} ${count} ${bytes}`, historyStep(at, count, bytes))),
]

for (const adapter of VALUE_STORES) {
  describe(`a store on ${adapter.name}, whatever is done to it`, function () {
    this.timeout(60_000)

    let values: ValueStores
    before(async () => {
      values = await adapter.open()
    })
    after(() => values.close())

    it('answers like a list of all versions', () =>
      fc.assert(
        fc.asyncProperty(fc.commands(steps, { maxCommands: 60, size: 'max' }), async (commands) => {
          await fc.asyncModelRun(async () => {
            const store = createStore(await values.fresh())
            return { model: new NaiveStore(), real: { store, values } }
          }, [...commands, step('check everything', checkEverything)])
        }),
        { numRuns: adapter.runs },
      ))
  })
}

function writeStep(changes: readonly NaiveChange[]) {
  return (model: NaiveStore, { store }: Real): void => {
    const txn = store.begin()
    const written: Version[] = []
    for (const each of changes) {
      if (each.kind === 'put') {
        const before = txn.get(each.key, txn.revision)
        const { version, previous } = txn.put(each.key, Buffer.from(each.value), each.lease)
        expect(previous).to.equal(before)
        written.push(version)
      } else {
        const before = txn.range(each, txn.revision, 0).versions
        expect(txn.deleteRange(each)).to.deep.equal(before)
        expect(txn.range(each, txn.revision, 0).count).to.equal(0)
      }
    }
    const base = store.revision
    const commit = txn.commit()
    const expected = model.write(changes)
    expect(commit?.revision).to.equal(expected.length === 0 ? undefined : base + 1)
    const expectedEvents = expected.length === 0 ? [] : model.events(base + 1)
    expectEvents(commit?.events ?? [], expectedEvents)
    for (const version of written) expect(commit?.events.map((event) => event.version)).to.include(version)
    expect(store.keyCount).to.equal(model.range(EMPTY_KEY, null, model.revision).length)
  }
}

function compactStep(at: number) {
  return (model: NaiveStore, { store }: Real): void => {
    const revision =
      Math.max(0, model.compactRevision) + Math.ceil((at / 100) * (model.revision - model.compactRevision))
    const problem = revision <= model.compactRevision ? 'compacted' : revision > model.revision ? 'future' : undefined
    expect(store.compact(revision)).to.equal(problem)
    if (problem === undefined) model.compact(revision)
    expect(store.compactRevision).to.equal(model.compactRevision)
  }
}

function scrubStep(model: NaiveStore, { store }: Real): void {
  while (!store.scrub(3));
  expect(store.scrubPending).to.equal(false)
  const expected = model.surviving().reduce((sum, version) => sum + encodedNaively(version).length, 0)
  expect(store.liveBytes).to.equal(expected)
  expect(store.allocatedBytes).to.be.at.least(expected)
}

async function restartStep(_model: NaiveStore, real: Real): Promise<void> {
  const { store, values } = real
  const hash = store.hashKv(store.revision)
  real.store = await values.restart(store)
  expect(real.store.hashKv(store.revision)).to.equal(hash)
  expect(real.store.keyCount).to.equal(store.keyCount)
}

function reloadStep(chunkBytes: number) {
  return async (_model: NaiveStore, real: Real): Promise<void> => {
    const dump = real.store.dump(chunkBytes)
    const loader = new StoreLoader(await real.values.fresh())
    for (const chunk of dump.chunks) loader.add(chunk)
    dump.close()
    const loaded = loader.finish()
    expect(loaded.hashKv(loaded.revision)).to.equal(real.store.hashKv(loaded.revision))
    expect(loaded.scrubPending).to.equal(false)
    real.store = loaded
  }
}

function readStep(at: number, start: Key, end: Key | null, limit: number) {
  return (model: NaiveStore, { store }: Real): void => {
    const revision = revisionAt(model, at)
    expect(store.checkRevision(revision)).to.equal(undefined)
    const expected = model.range(start, end, revision)
    const { versions, count } = store.range({ start, end }, revision, limit)
    expectVersions(versions, limit === 0 ? expected : expected.slice(0, limit))
    expect(count).to.equal(expected.length)
    expect(store.range({ start, end }, revision, limit, true)).to.deep.equal({ versions: [], count })
    expectVersions([store.get(start, revision)], [model.get(start, revision)])
  }
}

function historyStep(at: number, maxRevisions: number, maxBytes: number) {
  return (model: NaiveStore, { store }: Real): void => {
    const from = revisionAt(model, at)
    const all = model.events(from)
    const revisions = [...new Set(all.map(({ version }) => version.modRevision))]
    const commits = store.commits(from, maxRevisions, maxBytes)
    let bytes = 0
    const expected = revisions.filter((revision, index) => {
      const isWanted = index < maxRevisions && (index === 0 || bytes <= maxBytes)
      for (const { version } of all) if (version.modRevision === revision) bytes += encodedNaively(version).length
      return isWanted
    })
    expect(commits.map(({ revision }) => revision)).to.deep.equal(expected)
    for (const { revision, events } of commits) {
      const ofRevision = all.filter(({ version }) => version.modRevision === revision)
      expectEvents(events, ofRevision)
    }
  }
}

function checkEverything(model: NaiveStore, real: Real): void {
  for (let at = Math.max(1, model.compactRevision); at <= model.revision; at++) {
    expectVersions(real.store.range({ start: EMPTY_KEY, end: null }, at, 0).versions, model.range(EMPTY_KEY, null, at))
  }
  historyStep(0, 1000, 1e9)(model, real)
  scrubStep(model, real)
  historyStep(0, 1000, 1e9)(model, real)
  expect(real.store.checkRevision(model.revision + 1)).to.equal('future')
  expect(real.store.checkRevision(model.compactRevision - 1)).to.equal('compacted')
  expect(real.store.get(keyFromText('never written'), model.revision)).to.equal(undefined)
}

function revisionAt(model: NaiveStore, at: number): number {
  const oldest = Math.max(1, model.compactRevision)
  return oldest + Math.round((at / 100) * (model.revision - oldest))
}

function expectEvents(
  actual: readonly Event[],
  expected: readonly { readonly version: NaiveVersion; readonly previous: NaiveVersion | undefined }[],
): void {
  expectVersions(
    actual.flatMap(({ version, previous }) => [version, previous]),
    expected.flatMap(({ version, previous }) => [version, previous]),
  )
}

function expectVersions(
  actual: readonly (Version | undefined)[],
  expected: readonly (NaiveVersion | undefined)[],
): void {
  expect(actual.map((version) => version && real(version))).to.deep.equal(
    expected.map((version) => version && naive(version)),
  )
}

function real(version: Version): readonly unknown[] {
  const { key: name, modRevision, sub, createRevision, lease } = version
  const value = Buffer.from(version.value()).toString()
  return [
    name,
    modRevision,
    sub,
    createRevision,
    version.version,
    lease,
    value,
    Buffer.from(version.encoded()).toString('hex'),
  ]
}

function naive(version: NaiveVersion): readonly unknown[] {
  const { key: name, modRevision, sub, createRevision, lease, value } = version
  return [
    name,
    modRevision,
    sub,
    createRevision,
    version.version,
    lease,
    value,
    encodedNaively(version).toString('hex'),
  ]
}
