/** Case E6: replies that are lost after the deed, and what is said of the deed. */
import { expect } from 'chai'
import { isCoordinationError, type Version, type WriteOptions } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { comesTrue, describe, settled, type Settled } from './lifecycle-steps.ts'

export const errorsLostReplies: readonly ConformanceCase[] = [
  {
    id: 'E6',
    title: 'tells the truth of a write whose reply was lost, and never takes its own write for another’s',
    needs: ['links'],
    run: lostReplies,
    extraTtls: 60,
  },
]

/** A write, and how another client sees what became of it. */
interface Write {
  readonly name: string
  /** @returns the version that the key then has, if it has one. */
  prepare(a: Party, own: string): Promise<Version | undefined>
  run(a: Party, own: string, options: WriteOptions): Promise<unknown>
  /** As another client sees it. */
  isDone(b: Party, own: string): Promise<boolean>
  /** What a truthful success is: undefined, or what is wrong with the value. */
  fault?(b: Party, own: string, value: unknown): Promise<string | undefined>
}

async function lostReplies(given: Given): Promise<void> {
  const b = await given.party('B')
  const rounds = given.scale(1, 6)
  for (const way of ['held', 'cut short'] as const) {
    for (let round = 0; round < rounds; round++) {
      const seen = await Promise.all(writes(given).map((write) => loseReply(given, b, write, way, round)))
      given.history.note({ way, round, 'writes that another client saw before their reply was lost': seen })
    }
  }
}

/** @returns whether the deed had been seen before the reply was lost. */
async function loseReply(
  given: Given,
  b: Party,
  write: Write,
  way: 'held' | 'cut short',
  round: number,
): Promise<boolean> {
  const { name } = write
  const own = `${name.toLowerCase().replaceAll(' ', '-')}-${way === 'held' ? 'h' : 'c'}${round}`
  const a = await given.party(`A ${name} ${way} ${round}`)
  const version = await write.prepare(a, own)
  if (way === 'held') a.link.holdReplies()
  const call = settled(
    write.run(a, own, { timeoutMs: 5 * given.T, ...(version !== undefined && { ifVersion: version }) }),
  )
  // a store that needs several round trips is not done while the first reply is held: then it is the first that is lost
  const isSeen =
    way === 'held'
      ? await comesTrue(given, given.T / 4, () => write.isDone(b, own))
      : await comesTrue(given, given.random() * 10, async () => false)
  a.link.resetAll()
  const outcome = await call
  await judge(given, b, write, own, outcome)
  await a.locator.shutdown()
  return isSeen
}

async function judge(given: Given, b: Party, write: Write, own: string, outcome: Settled<unknown>): Promise<void> {
  const what = `${write.name}, whose reply was lost,`
  if (outcome.is === 'resolved') {
    await given.until(`${what} resolved, so it must be done`, () => write.isDone(b, own))
    const fault = await write.fault?.(b, own, outcome.value)
    expect(fault, `${what} ${describe(outcome)}`).to.equal(undefined)
    return
  }
  const { error } = outcome
  if (!isCoordinationError(error)) throw new Error(`${what} was ${describe(outcome)}`, { cause: error })
  const doubts = ['CONNECTION', 'TIMEOUT', 'SESSION_LOST', 'OVERLOADED', 'LEADERSHIP_LOST', 'NOT_A_MEMBER']
  if (!doubts.includes(error.code)) throw new Error(`${what} must not be ${describe(outcome)}`, { cause: error })
  if (error.effect === 'unknown') return
  await given.always(
    `${what} was ${describe(outcome)}, so it must not be done`,
    async () => !(await write.isDone(b, own)),
    given.T / 4,
  )
}

function writes(given: Given): Write[] {
  const { transactions } = given.capabilities
  return [...storageWrites(), ...(transactions === false ? [] : [transaction]), ...seatWrites(given)]
}

function storageWrites(): Write[] {
  const holdsNew = async ({ storage }: Party, own: string) => (await storage.fetch(`/${own}`)) === 'new'
  const isVersion = async ({ storage }: Party, own: string, value: unknown) => {
    const version = (await storage.fetchEntry(`/${own}`))?.version
    return version === value ? undefined : `it gave the version ${String(value)}, but the key has ${String(version)}`
  }
  const putOld = async ({ storage }: Party, own: string) => {
    await storage.put(`/${own}`, 'old')
    return undefined
  }
  return [
    {
      name: 'put',
      prepare: async () => undefined,
      run: ({ storage }, own, options) => storage.put(`/${own}`, 'new', options),
      isDone: holdsNew,
      fault: isVersion,
    },
    {
      name: 'update',
      prepare: putOld,
      run: ({ storage }, own, options) => storage.update(`/${own}`, 'new', options),
      isDone: holdsNew,
      fault: isVersion,
    },
    {
      name: 'update with ifVersion',
      prepare: ({ storage }, own) => storage.put(`/${own}`, 'old'),
      run: ({ storage }, own, options) => storage.update(`/${own}`, 'new', options),
      isDone: holdsNew,
      fault: isVersion,
    },
    {
      name: 'delete',
      prepare: putOld,
      run: ({ storage }, own, options) => storage.delete(`/${own}`, options),
      isDone: async ({ storage }, own) => (await storage.fetchEntry(`/${own}`)) === undefined,
      fault: async (_b, _own, value) => (value === true ? undefined : 'it denies its own deed: the key was there'),
    },
  ]
}

const transaction: Write = {
  name: 'transact',
  async prepare({ storage }, own) {
    await storage.put(`/${own}`, 'old')
    return undefined
  },
  run: ({ storage }, own, { timeoutMs }) =>
    storage.transact(
      [
        { op: 'put', key: `/${own}-made`, data: 'new' },
        { op: 'update', key: `/${own}`, data: 'new' },
        { op: 'check', key: `/${own}-absent`, version: null },
      ],
      timeoutMs === undefined ? {} : { timeoutMs },
    ),
  async isDone({ storage }, own) {
    // the one that is made is read first: with it there, the other must be new
    const isMade = (await storage.fetch(`/${own}-made`)) === 'new'
    const isNew = (await storage.fetch(`/${own}`)) === 'new'
    if (isMade && !isNew) throw new Error('half of a transaction was done')
    return isMade
  },
  async fault({ storage }, own, value) {
    const made = (await storage.fetchEntry(`/${own}-made`))?.version
    const updated = (await storage.fetchEntry(`/${own}`))?.version
    const [first, second] = value as readonly unknown[]
    return made === first && updated === second ? undefined : 'it gave versions that the keys do not have'
  },
}

function seatWrites({ T }: Given): Write[] {
  const nothing = async () => undefined
  return [
    {
      name: 'join',
      prepare: nothing,
      run: (a, own, options) => a.group().join(own, 'data', options),
      isDone: async (b, own) => (await b.group().membershipList()).has(own),
      async fault(b, own, value) {
        const epoch = (await b.group().members()).get(own)?.epoch
        const ours = value as { readonly epoch: bigint; readonly signal: AbortSignal }
        return ours.signal.aborted || epoch === ours.epoch
          ? undefined
          : `its epoch is ${ours.epoch}, but the member's is ${epoch}`
      },
    },
    {
      name: 'nominate',
      prepare: nothing,
      async run(a, own, options) {
        const isLeader = await a.election(own).nominate(own, options)
        // false would be the truth only if somebody else led
        return isLeader || (await a.election(own).awaitLeadership(own, { timeoutMs: 5 * T }))
      },
      isDone: async (b, own) => (await b.election(own).getLeader()) === own,
    },
    {
      name: 'resign',
      async prepare(a, own) {
        await a.election(own).nominate(own)
        return undefined
      },
      run: (a, own, options) => a.election(own).resign(own, options),
      isDone: async (b, own) => (await b.election(own).getLeader()) === undefined,
    },
  ]
}
