/** Cases L9–L12: what clients share and what they do not, and what they leave behind. */
import { expect } from 'chai'
import { type Capabilities, isCoordinationError, requireCapabilities } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { churn, type ChurnArgs, type Footprints, grown, heapLimit } from './lifecycle-churn.ts'
import { settled } from './lifecycle-steps.ts'
import { calmParties } from './storage-clients.ts'
import { collect, refusal } from './storage-steps.ts'

export const lifecycleSharing: readonly ConformanceCase[] = [
  { id: 'L9', title: 'keeps clusters apart that share one store, whatever their names', run: clustersApart },
  { id: 'L10', title: 'promises what it is known to promise, all the time, and refuses the rest', run: promises },
  { id: 'L11a', title: 'gives the same service out again for the same name, and one session for all', run: oneOfEach },
  {
    id: 'L11b',
    title: 'has lost all that a session holds before it says that the session is lost',
    needs: ['expireSession'],
    run: oneStroke,
  },
  {
    id: 'L12',
    title: 'leaves nothing behind, in the store or in the process, however often clients come and go',
    run: nothingLeft,
    alone: true,
    extraTtls: 20,
  },
]

async function clustersApart(given: Given): Promise<void> {
  const home = await given.party('home')
  // names that are spliced into keys carelessly meet: a prefix, a path, a name that ends where a key begins
  const names = [`${given.clusterId}1`, `${given.clusterId}/k`, `${given.clusterId}.`, given.clusterId.toUpperCase()]
  const others: Party[] = []
  for (const clusterId of names) {
    const party = await settled(given.party(clusterId, { clusterId }))
    if (party.is === 'resolved') others.push(party.value)
    else if (!isCoordinationError(party.error, 'CONFIG')) throw party.error
  }
  expect(others, 'clusters that may share the store').to.have.length.at.least(1)
  const told: string[] = []
  await home.registry.addValueChangeListener('/k/k', { valueChanged: () => void told.push('value') })
  await home.registry.addKeySetChangeListener('/', { keySetChanged: () => void told.push('keys') })
  await home.group().addListener({ onGroupChange: () => void told.push('group') })
  await home.election().addListener({ onLeaderChange: () => void told.push('leader') })
  for (const { name, storage, group, election } of others) {
    await storage.put('/k/k', name)
    await storage.put('/k', name)
    await group().join('member', name)
    expect(await election().nominate('candidate'), `whether the first candidate of ${name} leads`).to.equal(true)
  }
  for (const { name, storage, group, election } of others) {
    const entries = await collect(storage.scan('/'))
    expect(
      entries.map(({ key, text }) => `${key}=${text}`),
      `all that ${name} stores`,
    ).to.deep.equal([`/k=${name}`, `/k/k=${name}`])
    expect([...(await group().membership())], `the members of ${name}`).to.deep.equal([['member', name]])
    expect(await election().getLeader(), `the leader of ${name}`).to.equal('candidate')
  }
  expect(await home.storage.list('/'), 'what the first cluster stores').to.have.property('size', 0)
  expect(await home.storage.fetch('/k/k'), 'a key that only others have').to.equal(undefined)
  expect(await home.group().membershipList(), 'the members of the first cluster').to.have.property('size', 0)
  expect(await home.election().getLeader(), 'the leader of the first cluster').to.equal(undefined)
  await given.always(
    'what happens in other clusters is told to nobody in the first',
    () => told.length === 0,
    given.capabilities.notifications.maxLagMs + 100,
  )
}

async function promises(given: Given): Promise<void> {
  const { locator, storage, registry, group, election } = await given.party('A')
  const services = [storage, registry, group(), election()]
  const promised = () => services.map(({ capabilities }) => capabilities)
  for (const capabilities of promised()) {
    expect(capabilities, 'the capabilities, against what the harness expects').to.deep.equal(given.harness.expect)
  }
  const first = JSON.stringify(promised())
  const { expect: expected } = given.harness
  expect(expected.limits.maxKeyBytes, 'limits.maxKeyBytes').to.be.at.least(512)
  expect(expected.limits.maxValueBytes, 'limits.maxValueBytes').to.be.at.least(524_288)
  expect(expected.session.granularityMs, 'granularity, against the session timeout').to.be.below(given.T)
  await refuseTheRest(expected, { storage, election: election() })
  await group().join('a', '')
  await election().nominate('a')
  await storage.put('/k', 'v')
  expect(JSON.stringify(promised()), 'the capabilities, later').to.equal(first)
  requireCapabilities(storage.capabilities, { valueBytes: 524_288 })
  expect(locator.session.ttlMs, 'the time to live that was granted').to.be.at.least(given.T)
}

async function refuseTheRest(
  { linearizableReads, atomicFencing, transactions }: Capabilities,
  { storage, election }: { storage: Party['storage']; election: ReturnType<Party['election']> },
): Promise<void> {
  if (!linearizableReads) {
    await refusal('UNSUPPORTED', 'a linearizable read', storage.fetch('/k', { consistency: 'linearizable' }))
  }
  if (!atomicFencing) {
    const fence = { service: election.service, token: 1n }
    await refusal('UNSUPPORTED', 'a put with a fence', storage.put('/fenced', '', { fence }))
    await refusal('UNSUPPORTED', 'an update with a fence', storage.update('/fenced', '', { fence }))
    await refusal('UNSUPPORTED', 'a delete with a fence', storage.delete('/fenced', { fence }))
  }
  if (transactions === false) {
    await refusal('UNSUPPORTED', 'a transaction', storage.transact([{ op: 'put', key: '/k', data: '' }]))
  }
}

async function oneOfEach(given: Given): Promise<void> {
  const [{ locator }, b] = await calmParties(given, 2)
  expect(locator.getStorage(), 'the storage, asked for again').to.equal(locator.getStorage())
  expect(locator.getListenerRegistry(), 'the registry, asked for again').to.equal(locator.getListenerRegistry())
  for (const name of ['brokers', 'Brokers', 'brokers/x', 'ſpecial ☂']) {
    const group = locator.getGroupMembership(name)
    const election = locator.getLeaderElection(name)
    expect(locator.getGroupMembership(name), `the group ${name}, asked for again`).to.equal(group)
    expect(locator.getLeaderElection(name), `the election of ${name}, asked for again`).to.equal(election)
    expect([group.group, election.service], 'the names of a group and a service').to.deep.equal([name, name])
    await group.join('me', name)
    expect(await election.nominate('me', { data: name }), `whether the only candidate for ${name} leads`).to.equal(true)
  }
  for (const name of ['brokers', 'Brokers', 'brokers/x', 'ſpecial ☂']) {
    const members = await b.group(name).membership()
    expect([...members], `the members of ${name}`).to.deep.equal([['me', name]])
    const data = (await b.election(name).leader())?.data ?? new Uint8Array()
    expect(Buffer.from(data).toString(), `the data of the leader of ${name}`).to.equal(name)
  }
  expect([...(await b.group('x').membershipList())], 'the members of a group that nobody has joined').to.deep.equal([])
  const { id } = locator.session
  expect(locator.session.id, 'the id of the session').to.equal(id)
  expect(b.session.id, 'the id of the session of another client').not.to.equal(id)
  expect(locator.session.state, 'the state of the session').to.equal('connected')
}

async function oneStroke(given: Given): Promise<void> {
  const { session, group, election } = await given.party('A')
  const { id } = session
  const memberships = await Promise.all(['g', 'h'].map((name) => group(name).join('a', '', { autoRejoin: false })))
  await Promise.all(['s', 't'].map((name) => election(name).nominate('a')))
  const leaderships = await Promise.all(['s', 't'].map((name) => election(name).awaitLeadership('a')))
  const signals = [...memberships, ...leaderships].map(({ signal }) => signal)
  let abortedBefore: readonly boolean[] | undefined
  session.addListener({
    onLost() {
      abortedBefore = signals.map(({ aborted }) => aborted)
    },
  })
  await given.hooks.expireSession?.(id)
  const ended = await given.until('the loss of the session is told', () => abortedBefore)
  expect(ended, 'which of the four had ended when the loss was told').to.deep.equal(signals.map(() => true))
  expect(
    leaderships.map(({ held }) => held),
    'what is held of the leaderships',
  ).to.deep.equal([false, false])
}

async function nothingLeft(given: Given): Promise<void> {
  const { hooks, capabilities } = given
  const link = await given.link()
  // a client that stays: the process that is measured, and what is always there
  const host = capabilities.multiProcess ? await given.process('host') : undefined
  const before = await hooks.usage?.()
  const rounds = given.scale(20, 100)
  const args: ChurnArgs = {
    // sessions that are left behind do not end by themselves while they are looked for
    serverProperties: await given.serverProperties(link, { sessionTtlMs: 20 * given.T }),
    warmUp: 5,
    rounds,
    timeoutMs: 10 * given.T,
    disturbed: false,
  }
  const measured = await (host === undefined ? churn(args) : host.run<Footprints>('churnClients', args))
  expect(measured.started, 'clients that came and went').to.equal(args.warmUp + rounds)
  expect(grown(measured), 'what a process still holds after its clients were closed').to.deep.equal([])
  const grownBy = measured.after.heapBytes - measured.before.heapBytes
  expect(grownBy, `by how much ${rounds} clients let the heap grow, bytes`).to.be.below(heapLimit(measured))
  await given.until('no connection is left', () => link.connections === 0, given.T)
  if (before === undefined) return
  await given.until('the store holds no more sessions and connections than before', async () => {
    const now = await hooks.usage?.()
    expect(now?.sessions, 'sessions in the store').to.be.at.most(before.sessions)
    if (before.connections !== undefined) {
      expect(now?.connections, 'connections to the store').to.be.at.most(before.connections)
    }
    return true
  })
}
