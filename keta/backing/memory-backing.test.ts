import { expect } from 'chai'
import { put } from '../state/operations.fixture.ts'
import { contents, Replica } from '../state/replica.fixture.ts'
import { memoryBacking } from './memory-backing.ts'

describe('a state in memory', () => {
  it('is empty at every start, or what a snapshot makes of it', async () => {
    const backing = memoryBacking()
    expect([backing.restored, backing.durableOffset, backing.ready()]).to.deep.equal([undefined, -1, undefined])
    const replica = new Replica(await backing.empty())
    replica.run(put('a', 'value'))
    const loader = await backing.loader()
    for (const chunk of replica.state.dump().chunks) loader.add(chunk)
    expect(contents(loader.finish())).to.equal(contents(replica.state))
    await backing.flush()
    await backing.close()
    expect(backing.durableOffset).to.equal(-1)
  })
})
