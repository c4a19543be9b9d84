/** Many clients, faults at random: what must hold at every moment, and what must come in the end. */
import { expect } from 'chai'
import fc from 'fast-check'
import { type FakeClient, makeClient, makeRandom, makeStore, T } from './fake-client.fixture.ts'
import type { Fault } from './fake-driver.fixture.ts'
import type { FakeStore } from './fake-store.fixture.ts'

const CLIENTS = 3

interface Deed {
  readonly do: 'cut' | 'heal' | 'stall' | 'wake' | 'nominate' | 'resign' | 'deafen' | 'step' | 'close'
  readonly client: number
}

type Step =
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'fault'; readonly client: number; readonly fault: Fault; readonly chance: number }
  | Deed
  | { readonly do: 'deliverLate' }
  /** Deeds of an administrator: the old leader cannot know of them in time. */
  | Meddling

interface Meddling {
  readonly do: 'remove' | 'expire'
}

const client = fc.nat(CLIENTS - 1)
const natural: fc.Arbitrary<Step>[] = [
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 2 * T }) }),
  fc.record({
    do: fc.constant('fault' as const),
    client,
    fault: fc.constantFrom<Fault>('none', 'refused', 'lost-request', 'lost-reply', 'reset', 'late'),
    chance: fc.constantFrom(0.1, 0.5, 1),
  }),
  fc.record({
    do: fc.constantFrom('cut', 'heal', 'stall', 'wake', 'nominate', 'resign', 'deafen', 'step', 'close'),
    client,
  }),
  fc.constant({ do: 'deliverLate' as const }),
]
const unnatural: fc.Arbitrary<Step>[] = [...natural, fc.record({ do: fc.constantFrom('remove', 'expire') })]

describe('elections among clients that meet every fault', () => {
  for (const [what, kinds] of [
    ['have one leader at most, and one in the end', natural],
    ['have one leader in the end also if an administrator meddles', unnatural],
  ] as const) {
    it(what, async () => {
      const steps = fc.array(fc.oneof<fc.Arbitrary<Step>[]>(...kinds), { maxLength: 40, size: 'max' })
      await fc.assert(
        fc.asyncProperty(steps, fc.integer({ min: 1, max: 2 ** 30 }), (script, seed) =>
          play(script, seed, kinds === natural),
        ),
        { numRuns: 60, endOnFailure: false },
      )
    }).timeout(60_000)
  }
})

async function play(script: readonly Step[], seed: number, isStrict: boolean): Promise<void> {
  const store = makeStore()
  const random = makeRandom(seed)
  const clients: FakeClient[] = []
  for (let n = 0; n < CLIENTS; n++) clients.push(await makeClient(store, { random }))
  const closed = new Set<FakeClient>()
  const look = () => {
    if (isStrict) expect(clients.filter(leads).length, 'leaders at once').to.be.at.most(1)
  }
  const background = (promise: Promise<unknown>) => void promise.catch(() => undefined)
  const nominate = (one: FakeClient) => background(one.election.nominate(idOf(clients, one)))
  clients.forEach(nominate)
  for (const step of script) {
    if (step.do === 'pass') await store.world.pass(step.ms, look)
    else act(step, { store, clients, random, background, nominate, closed })
    look()
  }
  for (const one of clients) {
    one.driver.fault = () => 'none'
    one.driver.delayMs = () => 0
    one.driver.heal()
    one.clock.wake()
  }
  store.deliverLate()
  await store.world.pass(3 * T, look)
  for (const one of clients) if (!closed.has(one)) nominate(one)
  await store.world.pass(5 * T, look)
  const expected = closed.size === CLIENTS ? 0 : 1
  expect(clients.filter(leads).length, 'leaders in the end').to.equal(expected)
  expect(store.seats.size, 'seats taken').to.equal(expected)
  for (const one of clients) {
    checkTerms(one)
    if (!closed.has(one)) await one.close()
  }
  const tokens = clients.flatMap((one) => one.events.flatMap((event) => / elected (\d+)/.exec(event)?.[1] ?? []))
  expect(new Set(tokens).size, 'tokens').to.equal(tokens.length)
  expect(store.seats.size, 'seats after closing').to.equal(0)
}

interface Scene {
  readonly store: FakeStore
  readonly clients: readonly FakeClient[]
  readonly random: () => number
  readonly background: (promise: Promise<unknown>) => void
  readonly nominate: (one: FakeClient) => void
  readonly closed: Set<FakeClient>
}

function act(step: Exclude<Step, { do: 'pass' }>, scene: Scene): void {
  const { store, clients, random, closed } = scene
  if (step.do === 'deliverLate') {
    store.deliverLate()
    return
  }
  if (step.do === 'remove') {
    store.empty({ kind: 'leader', service: 's' })
    return
  }
  if (step.do === 'expire') {
    store.end(store.seats.get('leader/s')?.session ?? '')
    return
  }
  const one = 'client' in step ? clients[step.client] : undefined
  if (one === undefined) return
  switch (step.do) {
    case 'fault':
      one.driver.fault = () => (random() < step.chance ? step.fault : 'none')
      one.driver.delayMs = () => random() * 200
      return
    case 'cut': {
      one.driver.cut()
      return
    }
    case 'heal': {
      one.driver.heal()
      return
    }
    case 'deafen': {
      one.driver.deafen()
      return
    }
    case 'stall': {
      one.clock.stall()
      return
    }
    case 'wake':
      one.clock.wake()
      return
    case 'step': {
      one.clock.stepForward(T / 2)
      return
    }
    case 'nominate': {
      scene.nominate(one)
      return
    }
    case 'resign': {
      scene.background(one.election.resign(idOf(clients, one)))
      return
    }
    case 'close':
      // one that stays makes the end interesting
      if (closed.size < CLIENTS - 1 && !closed.has(one) && random() < 0.3) {
        closed.add(one)
        scene.background(one.beginClosing())
      }
  }
}

function leads(one: FakeClient): boolean {
  return [0, 1, 2].some((n) => one.election.leadership(`c${n}`)?.held === true)
}

function idOf(clients: readonly FakeClient[], one: FakeClient): string {
  return `c${clients.indexOf(one)}`
}

/** Elected and lost in turn, tokens rising, no loss told before its signal. */
function checkTerms(one: FakeClient): void {
  let last = 0
  let open: number | undefined
  for (const event of one.events) {
    const elected = / elected (\d+)/.exec(event)
    const lost = / lost (\d+)/.exec(event)
    expect(event).to.not.include('UNTOLD')
    if (elected !== null) {
      expect(open, 'a term inside another').to.equal(undefined)
      open = Number(elected[1])
      expect(open).to.be.greaterThan(last)
      last = open
    } else if (lost !== null) {
      expect(open, 'a loss of what was not won').to.equal(Number(lost[1]))
      open = undefined
    }
  }
}
