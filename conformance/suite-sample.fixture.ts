/** Cases with every outcome, as mocha tests: what suite.test.ts looks at from outside. */
import type { ConformanceCase } from './kit/case.ts'
import { fakeHarness } from './kit/fake-locator.fixture.ts'
import { readSettings } from './settings.ts'
import { suiteOf } from './suite.ts'

const pass = async () => undefined
const fail = () => Promise.reject(new Error('on purpose'))

const cases: ConformanceCase[] = [
  { id: 'T1', title: 'passes', run: pass },
  { id: 'T2', title: 'fails', run: fail },
  { id: 'T3', title: 'needs a hook', needs: ['compact'], run: pass },
  { id: 'T4', title: 'fails as expected', run: fail },
  { id: 'T5', title: 'passes alone', alone: true, run: pass },
  { id: 'T6', title: 'transacts', capability: 'transactions', run: fail, otherwise: pass },
  { id: 'T7', title: 'needs another hook', needs: ['usage'], run: pass },
]

const notRun = process.env['SAMPLE_STRICT'] === '1' ? { notRun: { T3: 'no history' } } : {}

async function start() {
  const harness = fakeHarness([], { expectedFailures: { T4: 'known' }, ...notRun })
  return {
    ...harness,
    [Symbol.asyncDispose]: async () => {
      console.log('disposed of')
    },
  }
}

suiteOf(cases, start, readSettings({ seed: 'sample' }, process.env))
