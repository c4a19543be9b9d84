/** Case S24: read, compute, write if unchanged. */
import { expect } from 'chai'
import { modify } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { calmParties } from './storage-clients.ts'
import { expectValue, failure } from './storage-steps.ts'

export const storageModify: readonly ConformanceCase[] = [
  { id: 'S24', title: 'modify leaves all as it is when its function says so, throws, or is aborted', run: modifying },
]

async function modifying(given: Given): Promise<void> {
  const [one, two] = await calmParties(given, 2)
  const { storage } = one
  const created = await modify(storage, '/k', (now) => (now === undefined ? 'created' : 'not absent'))
  await expectValue(two.storage, '/k', 'created', created?.version)

  const seen = await modify(storage, '/k', () => undefined)
  expect(seen?.version, 'what modify returns when it changes nothing').to.equal(created?.version)
  expect(await modify(storage, '/absent', () => undefined), 'the same of an absent key').to.equal(undefined)

  const thrown = new Error('thrown by the function')
  const throwing = modify(storage, '/k', () => Promise.reject(thrown))
  expect(await failure('modify with a function that throws', throwing), 'what modify rejects with').to.equal(thrown)

  const abort = new AbortController()
  const reason = new Error('aborted by the function')
  const aborting = modify(
    storage,
    '/k',
    () => {
      abort.abort(reason)
      return 'never written'
    },
    { signal: abort.signal },
  )
  expect(await failure('modify that is aborted', aborting), 'what modify rejects with').to.equal(reason)
  let called = false
  const early = modify(storage, '/k', () => String((called = true)), { signal: abort.signal })
  expect(await failure('modify that is aborted before it begins', early)).to.equal(reason)
  expect(called, 'whether its function is called').to.equal(false)
  await expectValue(two.storage, '/k', 'created', created?.version)

  const bases: (string | undefined)[] = []
  const changed = await modify(storage, '/k', async (now) => {
    bases.push(now?.text)
    if (bases.length === 1) await two.storage.update('/k', 'by another')
    if (bases.length === 2) await two.storage.delete('/k')
    if (bases.length === 3) await two.storage.put('/k', 'by another again')
    return `${now?.text} and by modify`
  })
  expect(bases, 'what the function is given, while another writes').to.deep.equal([
    'created',
    'by another',
    undefined,
    'by another again',
  ])
  await expectValue(two.storage, '/k', 'by another again and by modify', changed?.version)
}
