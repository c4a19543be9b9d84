/** Case X25: processes that are killed, stopped and cut off at random, and never two that may act. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { RemoteParty } from '../kit/party.ts'
import { failoverMs, SERVICE, stand, unlessDisturbed } from './election-steps.ts'
import { expectExclusiveTerms, recordTerms, termsOf } from './election-terms.ts'
import { pick } from './storage-steps.ts'

export const electionChaos: readonly ConformanceCase[] = [
  {
    id: 'X25',
    title: 'no two processes may act as leader at one time, whatever is done to them',
    needs: ['processes', 'links'],
    run: chaos,
    extraTtls: 380,
  },
]

const PLACES = 4
const FAULTS = ['kill', 'stop', 'cut', 'deaf', 'mute', 'alone', 'resign', 'nothing'] as const

async function chaos(given: Given): Promise<void> {
  const all: RemoteParty[] = []
  const [wanted, until] = [given.scale(2, 20), given.now() + given.scale(6, 300) * given.T]
  // chance may spare the leader for a while
  const goesOn = () => given.now() < until || (given.now() < until + 30 * given.T && termsOf(all).length < wanted)
  const places = Array.from({ length: PLACES }, (_, place) => trouble(given, `P${place}`, goesOn, all))
  const last = await Promise.all(places)
  await given.until(
    'one of them leads when all is well again',
    async () => {
      const terms = await Promise.all(last.map(({ name, election }) => election(SERVICE).leadership(name)))
      return terms.filter((term) => term?.held).length === 1
    },
    2 * failoverMs(given),
  )
  expectExclusiveTerms(all, wanted)
}

/** One place in the cluster: a process, and the ones that follow it when it is killed. @returns the last one. */
async function trouble(given: Given, name: string, goesOn: () => boolean, all: RemoteParty[]): Promise<RemoteParty> {
  const begin = async () => {
    const party = await given.process(name)
    all.push(party)
    await recordTerms(party, SERVICE, name)
    await stand(given, party, SERVICE)
    return party
  }
  let party = await begin()
  while (goesOn()) {
    await sleep(given.random() * given.T)
    const fault = pick(given, FAULTS)
    given.history.note({ process: name, fault })
    if (fault === 'kill') {
      await party.kill()
      party = await begin()
    } else {
      await disturb(given, party, fault)
    }
  }
  await stand(given, party, SERVICE)
  return party
}

type Fault = Exclude<(typeof FAULTS)[number], 'kill'>

async function disturb(given: Given, party: RemoteParty, fault: Fault): Promise<void> {
  // half of the faults are over before the lease is
  const forMs = given.random() * 2 * given.T
  if (fault === 'resign') {
    await unlessDisturbed(party.election(SERVICE).resign(party.name))
    return stand(given, party, SERVICE)
  }
  if (fault === 'stop') {
    party.stop()
    await sleep(forMs)
    party.continue()
    return
  }
  if (fault === 'cut') party.link.cut()
  if (fault === 'deaf') party.link.blackHole('to-client')
  if (fault === 'mute') party.link.blackHole('to-server')
  if (fault === 'alone') party.link.blackHole('both')
  await sleep(forMs)
  party.link.heal()
}
