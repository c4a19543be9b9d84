import { expect } from 'chai'
import { type History, HistoryFormatError, historyFromText, historyToText } from './history.ts'

describe('a history as text', () => {
  const history: History = [
    {
      kind: 'set',
      set: 's',
      process: 1,
      endpoint: 'n1',
      invoke: 1,
      return: Infinity,
      f: 'add',
      element: 1,
      outcome: 'info',
    },
    { kind: 'watch', watcher: 'w', endpoint: 'n1', key: '\0', rangeEnd: '\0', startRevision: 1, responses: [] },
  ]

  it('is one line for each record, and is read again as it was', () => {
    const text = historyToText(history)
    expect(text.split('\n')).to.have.length(3)
    expect(historyFromText(text)).to.deep.equal(history)
  })

  it('is refused where a line is torn or of no known kind', () => {
    for (const line of ['{"kind":"set', '{"kind":"else"}', '7', 'null']) {
      expect(() => historyFromText(`${historyToText(history)}${line}`))
        .to.throw(HistoryFormatError)
        .with.property('line', 3)
    }
  })
})
