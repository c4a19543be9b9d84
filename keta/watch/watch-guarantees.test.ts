import { NaiveStore } from './naive-store-suite.ts'
import { itKeepsTheWatchGuarantees } from './watch-guarantees-suite.ts'

describe('WatchHub over a naive store', () => {
  itKeepsTheWatchGuarantees(() => new NaiveStore())
})
