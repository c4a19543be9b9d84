import { expect } from 'chai'
import { integer } from './der-writer.ts'

describe('a number in DER', () => {
  const cases: Readonly<Record<string, readonly [bytes: readonly number[], der: readonly number[]]>> = {
    'as it is': [
      [0x12, 0x34],
      [2, 2, 0x12, 0x34],
    ],
    'with a zero before what would be a sign': [[0x80], [2, 2, 0, 0x80]],
    'without a zero that it does not need': [
      [0, 0, 0x7f, 0],
      [2, 2, 0x7f, 0],
    ],
    'with the only zero of several that it needs': [
      [0, 0, 0xff],
      [2, 2, 0, 0xff],
    ],
    'of nothing': [
      [0, 0],
      [2, 1, 0],
    ],
  }
  for (const [name, [bytes, expected]] of Object.entries(cases)) {
    it(`is written ${name}`, () => {
      expect([...integer(Uint8Array.from(bytes))]).to.deep.equal(expected)
    })
  }
})
