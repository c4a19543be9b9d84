import { expect } from 'chai'
import type { ConformanceCase } from './case.ts'
import { FAKE_CAPABILITIES } from './fake-locator.fixture.ts'
import { type Plannable, planCases } from './plan.ts'

const run = async () => undefined

function planOne(harness: Partial<Plannable>, one: Partial<ConformanceCase>) {
  const whole = { endpoints: ['a:1'], expect: FAKE_CAPABILITIES, hooks: {}, ...harness }
  const { cases } = planCases(whole, [{ id: 'T1', title: 'does it', run, ...one }])
  return cases[0] ?? expect.fail('no case')
}

describe('the plan of a run', () => {
  it('runs a case that needs nothing', () => {
    expect(planOne({}, {})).to.deep.include({ title: 'does it', reason: undefined, fault: undefined, isRefusal: false })
    expect(planOne({}, {}).run).to.be.a('function')
  })

  it('does not run a case that lacks something, and says what', () => {
    const expected = { ...FAKE_CAPABILITIES, multiProcess: false }
    const planned = planOne(
      { endpoints: [], expect: expected, hooks: { servers: [] } },
      { needs: ['processes', 'links', 'servers', 'compact'] },
    )
    expect(planned.run).to.equal(undefined)
    expect(planned.fault).to.equal(undefined)
    expect(planned.reason).to.equal(
      'processes cannot share the store; the store has no network that could be cut; ' +
        'the harness has no hook servers; the harness has no hook compact',
    )
    const compact = async () => undefined
    expect(planOne({ hooks: { compact } }, { needs: ['processes', 'links', 'compact'] }).run).to.be.a('function')
  })

  it('tries the refusal of what is not promised', async () => {
    const said: string[] = []
    const one: Partial<ConformanceCase> = {
      capability: 'transactions',
      run: async () => {
        said.push('run')
      },
      otherwise: async () => {
        said.push('otherwise')
      },
    }
    const refusal = planOne({}, one)
    expect(refusal).to.include({
      isRefusal: true,
      title: 'does it – not promised (transactions): must be refused',
    })
    const promised = planOne({ expect: { ...FAKE_CAPABILITIES, transactions: { maxOps: 3 } } }, one)
    expect(promised).to.include({ isRefusal: false, title: 'does it' })
    for (const planned of [refusal, promised]) await planned.run?.({} as never)
    expect(said).to.deep.equal(['otherwise', 'run'])
    expect(planOne({}, { capability: 'transactions' })).to.include({
      run: undefined,
      reason: 'the backend does not promise transactions',
    })
  })

  it('is strict about what the harness says cannot be run', () => {
    const needs = ['links'] as const
    expect(planOne({ endpoints: [], notRun: { T1: 'in memory' } }, { needs })).to.include({
      fault: undefined,
      reason: 'the store has no network that could be cut (in memory)',
    })
    expect(planOne({ endpoints: [], notRun: {} }, { needs }).fault).to.include('does not list it in notRun')
    const could = planOne({ notRun: { T1: 'lazy' } }, { needs })
    expect(could.run).to.equal(undefined)
    expect(could.fault).to.equal('the harness lists it in notRun (lazy), but nothing that it needs is missing')
  })

  it('finds what the harness says of cases that do not exist, and ids given twice', () => {
    const harness = {
      endpoints: [],
      expect: FAKE_CAPABILITIES,
      hooks: {},
      notRun: { T8: 'x' },
      expectedFailures: { T9: 'x' },
    }
    const cases = ['T1', 'T1'].map((id) => ({ id, title: 'does it', run }))
    expect(planCases(harness, cases).problems).to.deep.equal([
      'notRun names T8, and there is no such case',
      'expectedFailures names T9, and there is no such case',
      'two cases have the id T1',
    ])
  })
})
